"""
Tests of L{brxy.slots}.
"""

__all__: list[str] = []
