"""
The configuration of an edge, as plain data.
"""

__all__: list[str] = []
