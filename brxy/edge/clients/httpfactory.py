"""
Makes the protocol of each HTTP client.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from os import urandom

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from brxy.broker.quota import Addresses
from brxy.edge.clients.connection import ClientFactory
from brxy.edge.clients.forwarded import ForwardingClient
from brxy.edge.clients.http1 import HTTPClient
from brxy.edge.clients.peer import addressText
from brxy.edge.config.limits import Limits
from brxy.edge.dispatch import Dispatch
from brxy.edge.exchanges.http import HTTPCarrier, SecuredCarrier
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Shared
from brxy.values.networks import NOBODY, Networks

__all__ = ["HTTPFactory"]


class HTTPFactory(ClientFactory[HTTPClient]):
    """
    Makes the connections of HTTP clients, and holds what they share.

    @param route: tells the route of a host, or L{None} where there is no app.
    @ivar trusted: who is trusted to tell of clients.
    @param secured: they come by TLS.
    @param hsts: for so many seconds they shall come by nothing else (RFC 6797).
    @ivar heads: clients that have begun to send a request.
    @ivar max_body: see L{Limits}.
    @ivar max_requests: see L{Limits}.
    """

    def __init__(
        self,
        shared: Shared,
        brokerage: Dispatch,
        limits: Limits,
        addresses: Addresses,
        route: Callable[[str], str | None],
        trusted: Networks = NOBODY,
        *,
        secured: bool = False,
        hsts: int | None = None,
    ) -> None:
        super().__init__(shared, brokerage, limits, addresses)
        self.route = route
        self.trusted = trusted
        self.scheme = b"https" if secured else b"http"
        self.added = b""
        self.carrier = HTTPCarrier
        if hsts is not None:
            self.added = b"Strict-Transport-Security: max-age=%d\r\n" % hsts
            self.carrier = SecuredCarrier
        self.max_body = limits.max_body
        self.max_requests = limits.max_requests
        self.heads: Deadlines[HTTPClient] = Deadlines(
            shared.reactor, limits.head_timeout, HTTPClient.tooSlow
        )
        self._ids = count(1)
        self._id_prefix = urandom(6).hex().encode("ascii")

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return (ForwardingClient if self.trusts(addr) else HTTPClient)(self, addr)

    def trusts(self, addr: IAddress | None) -> bool:
        """
        Whether this is somebody who is trusted to tell of clients.
        """
        return bool(self.trusted) and self.trusted.covers(addressText(addr))

    def requestId(self) -> bytes:
        """
        An id for a request that brought none.
        """
        return b"%s-%x" % (self._id_prefix, next(self._ids))

    def leave(self) -> None:
        """
        Let go of the clients that ask for nothing.
        """
        for client in list(self.clients):
            client.leave()

    def abort(self) -> None:
        """
        Cut off whoever is still there.
        """
        super().abort()
        self.heads.stopAll()
