"""
The addresses of clients, as their connections have them.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IAddress
from zope.interface import implementer

from brxy.values.networks import plainAddress
from brxy.wire.proxyheader import Endpoints, withPort

__all__ = ["ProxiedPeer", "addressText", "endpointsText"]


@implementer(IAddress)
@frozen
class ProxiedPeer:
    """
    The address of a client that a PROXY header names.

    @ivar endpoints: the ends of its own connection, which is to that proxy.
    """

    endpoints: Endpoints

    @property
    def host(self) -> str:
        """
        Its IP address.
        """
        return self.endpoints.source.host

    @property
    def port(self) -> int:
        """
        Its port.
        """
        return self.endpoints.source.port


def addressText(peer: Any) -> str:
    """
    A peer's IP address; empty if it has none, as at a unix socket.
    """
    host = getattr(peer, "host", "")
    return plainAddress(host) if isinstance(host, str) else ""


def endpointsText(peer: Any, host: Any) -> str:
    """
    Both ends of a connection, as OPEN names them; empty without IP addresses.

    @param host: our own end of the connection.
    """
    if isinstance(peer, ProxiedPeer):
        return str(peer.endpoints)
    source, destination = addressText(peer), addressText(host)
    if not source or not destination:
        return ""
    return f"{withPort(source, peer.port)} {withPort(destination, host.port)}"
