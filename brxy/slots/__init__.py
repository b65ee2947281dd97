"""
What both ends of a slot have in common.
"""

__all__: list[str] = []
