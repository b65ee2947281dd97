"""
The fleet: performs the decisions of the scaler.
"""

__all__: list[str] = []
