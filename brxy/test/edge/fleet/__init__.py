"""
Tests of L{brxy.edge.fleet}.
"""

__all__: list[str] = []
