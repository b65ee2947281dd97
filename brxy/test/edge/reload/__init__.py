"""
Tests of L{brxy.edge.reload}.
"""

__all__: list[str] = []
