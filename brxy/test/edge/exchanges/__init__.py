"""
Tests of L{brxy.edge.exchanges}.
"""

__all__: list[str] = []
