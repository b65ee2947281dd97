"""
Tests of L{brxy.edge.config}.
"""

__all__: list[str] = []
