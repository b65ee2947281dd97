"""
One app from outside: its command, process, readiness, connections and lifetime.
"""

__all__: list[str] = []
