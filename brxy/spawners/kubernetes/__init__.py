"""
The kubernetes spawner: a Pod for each instance.
"""

__all__: list[str] = []
