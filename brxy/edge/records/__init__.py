"""
Records: what the edge knows of each exchange that has ended, and what observes them.
"""

__all__: list[str] = []
