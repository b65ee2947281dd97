"""
Tests of L{brxy.edge.admin}.
"""

__all__: list[str] = []
