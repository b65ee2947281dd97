"""
Tests of L{brxy.edge.metrics}.
"""

__all__: list[str] = []
