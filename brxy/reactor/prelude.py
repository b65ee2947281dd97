"""
Preludes: bytes that a connection has before its protocol begins, such as a PROXY header.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.reactor.deadlines import Deadlines

__all__ = ["Prelude", "Preludes"]


class Preludes:
    """
    The connections whose prelude is not complete.  Those that take too long are cut.
    """

    def __init__(self, clock: Any, timeout: float) -> None:
        """
        @param clock: an C{IReactorTime}.
        @param timeout: seconds for a prelude.
        """
        self._deadlines: Deadlines[Prelude] = Deadlines(
            clock, timeout, lambda prelude: prelude.tooSlow()
        )
        self._reading: set[Prelude] = set()

    def begin(self, prelude: Prelude) -> None:
        """
        Count a connection that was accepted.
        """
        self._reading.add(prelude)
        self._deadlines.start(prelude)

    def done(self, prelude: Prelude) -> None:
        """
        A prelude is complete, or its connection is gone.  Does nothing when called again.
        """
        self._reading.discard(prelude)
        self._deadlines.stop(prelude)

    def isReading(self, prelude: Prelude) -> bool:
        """
        @return: whether a prelude is not complete.
        """
        return prelude in self._reading

    def abort(self) -> None:
        """
        Cut the connections whose prelude is not complete.
        """
        for prelude in list(self._reading):
            prelude.abort()
        self._deadlines.stopAll()


@implementer(IHalfCloseableProtocol)
class Prelude(Protocol):
    """
    Reads the prelude of one connection; from then on passes everything on to the protocol
    that follows.
    """

    def __init__(self, preludes: Preludes, factory: IProtocolFactory, peer: IAddress) -> None:
        """
        @param factory: makes the protocol that follows.
        @param peer: the address of the peer.
        """
        self._preludes = preludes
        self._factory = factory
        self._peer = peer
        self._client: Any = None

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._preludes.begin(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        if self._client is not None:
            self._client.dataReceived(data)
        elif self._preludes.isReading(self):
            self.read(data)

    def read(self, data: bytes) -> None:
        """
        The next bytes have come.
        """
        raise NotImplementedError

    def follow(
        self, rest: bytes, *, peer: IAddress | None = None, factory: IProtocolFactory | None = None
    ) -> None:
        """
        The prelude is complete: have the protocol that follows take over.

        @param rest: the first bytes for it.
        @param peer: whose connection it is, if not the peer's.
        @param factory: another one that makes the protocol.
        """
        self._preludes.done(self)
        client = (factory or self._factory).buildProtocol(peer or self._peer)
        if client is None:
            self._cut()
            return
        self._client = client
        assert self.transport is not None
        client.makeConnection(self.transport)
        if rest and not getattr(self.transport, "disconnecting", False):
            client.dataReceived(rest)

    def finish(self) -> None:
        """
        Close the connection before its prelude is complete.
        """
        self._preludes.done(self)
        assert self.transport is not None
        self.transport.loseConnection()

    def tooSlow(self) -> None:
        """
        The prelude takes too long.
        """
        self.abort()

    def abort(self) -> None:
        """
        Cut the connection before its prelude is complete.
        """
        self._preludes.done(self)
        self._cut()

    def _cut(self) -> None:
        cast(Any, self.transport).abortConnection()

    def readConnectionLost(self) -> None:
        """
        The peer half-closed.  See L{IHalfCloseableProtocol}.
        """
        client = IHalfCloseableProtocol(self._client, None)
        if client is not None:
            client.readConnectionLost()
        else:
            # As a transport does for a protocol that knows no half-close.
            self.finish()

    def writeConnectionLost(self) -> None:
        """
        Everything before our half-close was sent.  See L{IHalfCloseableProtocol}.
        """
        client = IHalfCloseableProtocol(self._client, None)
        if client is not None:
            client.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._preludes.done(self)
        if self._client is not None:
            self._client.connectionLost(reason)
            self._client = None
