"""
Tests of L{brxy.edge.upgrade}.
"""

__all__: list[str] = []
