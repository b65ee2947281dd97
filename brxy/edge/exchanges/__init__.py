"""
Exchanges: one request or TCP connection, from its client to a slot and back.
"""

__all__: list[str] = []
