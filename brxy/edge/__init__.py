"""
The edge: accepts clients, holds them, and brokers them to instances.
"""

__all__: list[str] = []
