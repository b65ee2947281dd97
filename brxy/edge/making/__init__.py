"""
Parts of an edge that take more than a few lines to make from its settings.
"""

__all__: list[str] = []
