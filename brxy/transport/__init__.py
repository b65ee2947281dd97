"""
Connections: streams on epoll, their ports and connectors, and relays between two.
"""

__all__: list[str] = []
