"""
Tests of L{brxy.edge.admin.printed}.
"""

__all__: list[str] = []
