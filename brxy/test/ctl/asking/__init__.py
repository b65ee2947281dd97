"""
Tests of L{brxy.ctl.asking}.
"""

__all__: list[str] = []
