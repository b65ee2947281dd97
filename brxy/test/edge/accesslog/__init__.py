"""
Tests of L{brxy.edge.accesslog}.
"""

__all__: list[str] = []
