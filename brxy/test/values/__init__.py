"""
Tests of L{brxy.values}.
"""

__all__: list[str] = []
