"""
Tests of L{brxy.spawners.docker}.
"""

__all__: list[str] = []
