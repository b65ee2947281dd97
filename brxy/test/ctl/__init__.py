"""
Tests of L{brxy.ctl}.
"""

__all__: list[str] = []
