"""
The scaler: decides which instances there should be.  Pure.
"""

__all__: list[str] = []
