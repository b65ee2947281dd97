"""
Tests of L{brxy.spawners.swarm}.
"""

__all__: list[str] = []
