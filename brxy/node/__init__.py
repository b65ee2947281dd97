"""
The node: runs beside one instance of an app, and pulls work for it.
"""

__all__: list[str] = []
