"""
The swarm spawner: a service for each instance.
"""

__all__: list[str] = []
