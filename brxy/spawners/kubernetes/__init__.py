"""
The kubernetes spawner, which runs a Pod for each instance.
"""

__all__: list[str] = []
