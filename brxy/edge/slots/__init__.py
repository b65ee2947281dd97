"""
Slots at the edge: to nodes, and straight to apps.
"""

__all__: list[str] = []
