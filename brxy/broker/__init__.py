"""
The broker: which waiters there are, which slots are free, and which get each other.  Pure.
"""

__all__: list[str] = []
