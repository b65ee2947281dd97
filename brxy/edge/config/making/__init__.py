"""
From the values of settings to the settings object of an edge.
"""

__all__: list[str] = []
