"""
The HTTP client of the spawners that have a daemon run things.
"""

__all__: list[str] = []
