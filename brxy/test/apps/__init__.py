"""
Tests of L{brxy.apps}.
"""

__all__: list[str] = []
