"""
Tests of L{brxy.processes}.
"""

__all__: list[str] = []
