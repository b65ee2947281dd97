"""
Tests of L{brxy.reactor}.
"""

__all__: list[str] = []
