"""
Additions to Twisted's reactor: readers, deadlines, turns, hang-ups, signals.
"""

__all__: list[str] = []
