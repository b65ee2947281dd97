"""
The spawners: how instances are started.
"""

__all__: list[str] = []
