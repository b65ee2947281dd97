"""
Makes the connections of HTTP clients.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from brxy.edge.clients.forwarded import ForwardingClient
from brxy.edge.clients.http1 import HTTPClient
from brxy.edge.clients.listener import HTTPListener
from brxy.edge.clients.peer import addressText

__all__ = ["HTTPFactory"]


class HTTPFactory(HTTPListener):
    """
    Makes the connections of the HTTP clients of one listener.
    """

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        trusts = bool(self.trusted) and self.trusted.covers(addressText(addr))
        return (ForwardingClient if trusts else HTTPClient)(self, addr)
