"""
The swarm spawner, which runs a service for each instance.
"""

__all__: list[str] = []
