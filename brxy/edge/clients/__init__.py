"""
Clients, by protocol, and what may stand before or in place of an exchange.
"""

__all__: list[str] = []
