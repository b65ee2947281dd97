"""
The configuration of an edge in TOML files.
"""

__all__: list[str] = []
