"""
What a start from zero costs.
"""

__all__: list[str] = []
