"""
Tests of L{brxy.broker}.
"""

__all__: list[str] = []
