"""
Another version of the edge takes the place of the one that runs.
"""

__all__: list[str] = []
