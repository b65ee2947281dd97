"""
Tests of L{brxy.uptake}.
"""

__all__: list[str] = []
