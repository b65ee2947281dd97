"""
Tests of L{brxy.http}.
"""

__all__: list[str] = []
