"""
Spawners: ways to start instances.
"""

__all__: list[str] = []
