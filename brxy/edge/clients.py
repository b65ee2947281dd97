"""
What the clients' connections have in common, whatever they speak.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from brxy.connection import Connection, Shared
from brxy.edge.brokerage import Brokerage

__all__ = ["HOLD_COPY", "ClientFactory", "addressText"]

# Why a client is not read from: no instance has accepted its exchange yet, and
# the copy that is kept of it is full.
HOLD_COPY = 2

_C = TypeVar("_C", bound=Connection)


def addressText(peer: Any) -> str:
    """
    A peer's address as OPEN and X-Forwarded-For carry it; empty if it has
    none, as on a unix socket.
    """
    host = getattr(peer, "host", "")
    # An address with a zone (fe80::1%eth0) is of no use elsewhere.
    return host.partition("%")[0] if isinstance(host, str) else ""


class ClientFactory(Factory, Generic[_C]):
    """
    Makes clients' connections, and knows those that are there.

    @ivar clients: those connected now.
    """

    noisy = False

    def __init__(self, shared: Shared, brokerage: Brokerage) -> None:
        self.shared = shared
        self.brokerage = brokerage
        self.clients: set[_C] = set()
        self._empty: list[Deferred[None]] = []

    def left(self, client: _C) -> None:
        """
        A client is gone.
        """
        self.clients.discard(client)
        if not self.clients:
            empty, self._empty = self._empty, []
            for waiting in empty:
                waiting.callback(None)

    def whenEmpty(self) -> Deferred[None]:
        """
        @return: fires when no client is left.
        """
        waiting: Deferred[None] = Deferred()
        if self.clients:
            self._empty.append(waiting)
        else:
            waiting.callback(None)
        return waiting

    def abort(self) -> None:
        """
        Cut off whoever is still there.
        """
        for client in list(self.clients):
            client.abort()
