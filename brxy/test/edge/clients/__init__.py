"""
Tests of L{brxy.edge.clients}.
"""

__all__: list[str] = []
