"""
The broker: matches waiting exchanges with free slots.  Pure.
"""

__all__: list[str] = []
