"""
The last ten minutes of an edge, for the admin API.
"""

__all__: list[str] = []
