"""
The admin API of an edge: HTTP for the operator, on ports of its own.
"""

__all__: list[str] = []
