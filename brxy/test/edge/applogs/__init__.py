"""
Tests of L{brxy.edge.applogs}.
"""

__all__: list[str] = []
