"""
Tests of an edge and its nodes as a whole, in one process.
"""

__all__: list[str] = []
