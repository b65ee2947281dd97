"""
Tests of L{brxy.edge.traces}.
"""

__all__: list[str] = []
