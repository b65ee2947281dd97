"""
Tests of L{brxy.edge.admin.history}.
"""

__all__: list[str] = []
