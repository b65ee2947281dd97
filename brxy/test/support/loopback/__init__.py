"""
Helpers for tests over loopback: edges, peers, crowds, storms.
"""

__all__: list[str] = []
