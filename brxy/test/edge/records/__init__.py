"""
Tests of L{brxy.edge.records}.
"""

__all__: list[str] = []
