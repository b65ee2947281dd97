"""
TLS: contexts, certificates, the transport, bounded handshakes.
"""

__all__: list[str] = []
