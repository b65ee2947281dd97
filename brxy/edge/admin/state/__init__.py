"""
What the admin API reads of the edge besides its routes and instances.
"""

__all__: list[str] = []
