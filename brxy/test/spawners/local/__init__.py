"""
Tests of L{brxy.spawners.local}.
"""

__all__: list[str] = []
