"""
Tests of the project itself: imports, packaging, pages of the documentation.
"""

__all__: list[str] = []
