"""
Tests of L{brxy.scaler}.
"""

__all__: list[str] = []
