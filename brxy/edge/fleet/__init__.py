"""
The fleet: what performs the scaler's decisions.
"""

__all__: list[str] = []
