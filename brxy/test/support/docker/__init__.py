"""
Helpers that run a real dockerd, containers, and a swarm for tests.
"""

__all__: list[str] = []
