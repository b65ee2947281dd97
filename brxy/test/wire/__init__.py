"""
Tests of L{brxy.wire}.
"""

__all__: list[str] = []
