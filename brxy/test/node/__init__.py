"""
Tests of L{brxy.node}.
"""

__all__: list[str] = []
