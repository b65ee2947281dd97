"""
Tests of brxy.
"""

__all__: list[str] = []
