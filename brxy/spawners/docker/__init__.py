"""
The docker spawner, which runs a container for each instance.
"""

__all__: list[str] = []
