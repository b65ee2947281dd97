"""
Tests of L{brxy.spawners.kubernetes}.
"""

__all__: list[str] = []
