"""
Running one app: its command, process, readiness, connections and lifetime.
"""

__all__: list[str] = []
