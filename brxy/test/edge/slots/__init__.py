"""
Tests of L{brxy.edge.slots}.
"""

__all__: list[str] = []
