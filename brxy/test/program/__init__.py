"""
Tests of L{brxy.program}.
"""

__all__: list[str] = []
