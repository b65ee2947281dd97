"""
TOML with the line of each key, for errors that name a place.
"""

__all__: list[str] = []
