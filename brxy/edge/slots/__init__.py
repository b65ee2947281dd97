"""
Slots, as the edge sees them: a node's, or one straight to an app.
"""

__all__: list[str] = []
