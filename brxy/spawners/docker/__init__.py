"""
The docker spawner: a container for each instance.
"""

__all__: list[str] = []
