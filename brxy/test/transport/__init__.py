"""
Tests of L{brxy.transport}.
"""

__all__: list[str] = []
