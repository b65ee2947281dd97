"""
Tests of L{brxy.edge}.
"""

__all__: list[str] = []
