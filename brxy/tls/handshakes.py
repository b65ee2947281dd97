"""
Limits for TLS handshakes: how many at once, and how long each may take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import IAddress, IHandshakeListener, IProtocolFactory
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.reactor.deadlines import Deadlines
from brxy.tls.transport import TLSFactory

__all__ = ["Handshakes", "encrypted"]

# Handshakes at once.  A handshake needs up to 60 KB, and 1 to 3 ms of processor, so that
# all of these are done long before their time is over.
MOST = 1000

# Seconds for a handshake, from when the connection is first read.
TIMEOUT = 10.0


class Handshakes:
    """
    The handshakes of one or more ports.  At most C{most} are under way at once.  A
    connection that comes beyond that waits unread, and has its full time when its turn
    comes: when many come at once, as nodes do after a restart, the processor of this
    machine is what they wait for.

    @param clock: an C{IReactorTime}.
    @param timeout: seconds for a handshake.
    """

    def __init__(self, clock: Any, most: int = MOST, timeout: float = TIMEOUT) -> None:
        self._most = most
        self._under_way: set[Handshake] = set()
        # In the order in which they came.
        self._waiting: dict[Handshake, None] = {}
        self._times: Deadlines[Handshake] = Deadlines(clock, timeout, Handshake.cut)

    def begin(self, handshake: Handshake) -> None:
        """
        A connection was accepted.
        """
        if len(self._under_way) < self._most:
            self._start(handshake)
        else:
            self._waiting[handshake] = None
            handshake.holdBack()

    def _start(self, handshake: Handshake) -> None:
        self._under_way.add(handshake)
        self._times.start(handshake)

    def handshakeOver(self, handshake: Handshake) -> None:
        """
        A handshake has ended, successfully or not.  Does nothing when called again.
        """
        self._waiting.pop(handshake, None)
        self._times.stop(handshake)
        self._under_way.discard(handshake)
        while self._waiting and len(self._under_way) < self._most:
            first = next(iter(self._waiting))
            del self._waiting[first]
            self._start(first)
            first.go()

    def stop(self) -> None:
        """
        Cut off all that are under way or waiting.
        """
        everyone = [*self._waiting, *self._under_way]
        self._waiting.clear()
        self._times.stopAll()
        for handshake in everyone:
            handshake.cut()


@implementer(IHandshakeListener)
class Handshake(Protocol):
    """
    Takes the place of a protocol until the handshake is done: only then does the factory
    learn of the client.
    """

    def __init__(self, factory: _Gate, address: IAddress | None) -> None:
        self._factory = factory
        self._address = address

    @property
    def _tls(self) -> Any:
        return cast(Any, self.transport)

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._factory.handshakes.begin(self)

    def holdBack(self) -> None:
        """
        Wait for a turn: read nothing.
        """
        self._tls.pauseProducing()

    def go(self) -> None:
        """
        The turn has come: read.
        """
        self._tls.resumeProducing()

    def cut(self) -> None:
        """
        The handshake took too long.
        """
        self._tls.abortConnection()

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        self._factory.handshakes.handshakeOver(self)
        protocol = self._factory.wrappedFactory.buildProtocol(cast(IAddress, self._address))
        if protocol is None:
            self._tls.abortConnection()
        else:
            self._tls.wrappedProtocol = protocol
            protocol.makeConnection(self._tls)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._factory.handshakes.handshakeOver(self)
        self._factory.failed(self._address, reason)


class _Gate(WrappingFactory[Any]):
    """
    Makes L{Handshake}s for the protocols of another factory.
    """

    noisy = False

    def __init__(
        self,
        handshakes: Handshakes,
        factory: IProtocolFactory,
        failed: Callable[[IAddress | None, Failure], object],
    ) -> None:
        super().__init__(factory)
        self.handshakes = handshakes
        self.failed = failed

    def logPrefix(self) -> str:
        """
        The name that the log shows when a port starts.
        """
        return type(self.wrappedFactory).__name__

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return Handshake(self, addr)


def _ignore(address: IAddress | None, reason: Failure) -> None:
    """
    Log nothing: port scanners break off many handshakes.
    """


def encrypted(
    factory: IProtocolFactory,
    creator: Any,
    handshakes: Handshakes,
    *,
    clock: Any,
    client: bool = False,
    failed: Callable[[IAddress | None, Failure], object] = _ignore,
) -> TLSFactory:
    """
    Wrap a factory in TLS, for any kind of port or client.

    @param factory: its protocols are connected once the handshake is done.
    @param creator: an C{IOpenSSLServerConnectionCreator}, or for a client an
        C{IOpenSSLClientConnectionCreator}.
    @param clock: an C{IReactorTime}.
    @param failed: called with the address of a peer whose handshake failed, and the reason.
    """
    return TLSFactory(creator, client, _Gate(handshakes, factory, failed), clock)
