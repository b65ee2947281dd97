"""
What apps print, in a file for each route.
"""

__all__: list[str] = []
