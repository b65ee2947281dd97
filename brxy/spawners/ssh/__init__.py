"""
The ssh spawner: a command on another host for each instance.
"""

__all__: list[str] = []
