"""
Clients of PostgreSQL that request TLS before the handshake begins.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory, Protocol

from brxy.errors import BadStart
from brxy.reactor.prelude import Prelude, Preludes
from brxy.wire.postgres import ANSWERS, Start, StartReader

__all__ = ["START_TIMEOUT", "PostgresFactory"]

# Seconds until a client requests TLS or begins the handshake.
START_TIMEOUT = 10.0


class PostgresFactory(Factory):
    """
    Makes the connections of a port for clients of PostgreSQL whose TLS ends at the edge.
    """

    noisy = False

    def __init__(
        self, preludes: Preludes, secured: IProtocolFactory, plain: IProtocolFactory
    ) -> None:
        """
        @param preludes: the connections that have not begun their handshake.
        @param secured: makes the protocols for TLS.
        @param plain: makes those for what is sent without TLS: a request to cancel a query,
            which clients before libpq 17 never encrypt.
        """
        self.preludes = preludes
        self.secured = secured
        self.plain = plain

    def logPrefix(self) -> str:
        """
        The name that the log shows when a port starts.
        """
        wrapped: Any = self.secured
        return str(wrapped.logPrefix())

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return _PostgresStart(self, addr)


class _PostgresStart(Prelude):
    """
    Answers the requests of one client until its handshake begins.
    """

    def __init__(self, factory: PostgresFactory, peer: Any) -> None:
        super().__init__(factory.preludes, factory.secured, peer)
        self._plain = factory.plain
        self._reader = StartReader()

    def read(self, data: bytes) -> None:
        """
        See L{Prelude}.
        """
        try:
            start = self._reader.feed(data)
        except BadStart:
            self.abort()
            return
        if start in ANSWERS:
            assert self.transport is not None
            self.transport.write(ANSWERS[start])
        if start is Start.TLS:
            self.follow(self._reader.data)
        elif start is Start.SSL_REQUEST:
            self.follow(b"")
        elif start is Start.CANCEL:
            self.follow(self._reader.data, factory=self._plain)
        elif start is Start.PLAIN:
            self.finish()
