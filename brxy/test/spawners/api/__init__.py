"""
Tests of L{brxy.spawners.api}.
"""

__all__: list[str] = []
