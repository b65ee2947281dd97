"""
Tests of L{brxy.spawners.ssh}.
"""

__all__: list[str] = []
