"""
Values: what people and peers write, checked once.  Pure.
"""

__all__: list[str] = []
