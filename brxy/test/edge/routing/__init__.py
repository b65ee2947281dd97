"""
Tests for L{brxy.edge.routing}.
"""

__all__: list[str] = []
