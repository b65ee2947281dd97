"""
Tests of L{brxy.spawners}.
"""

__all__: list[str] = []
