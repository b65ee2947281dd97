"""
Protocols and factories that record their events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IHandshakeListener
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["Dialer", "HalfRecorder", "Recorder", "Server", "fail", "pause"]


@implementer(IHandshakeListener)
class Recorder(Protocol):
    """
    Records its events.

    @param hooks: further calls for events, by the names of these.
    @ivar told: the names of its events, in order: C{made}, C{shaken} when a
        TLS handshake is done, C{data}, C{readEnded}, C{writeEnded}, C{lost}.
    @ivar received: all bytes that have arrived.
    @ivar reason: why the connection was lost.
    """

    transport: Any

    def __init__(self, **hooks: Callable[[Recorder], object]) -> None:
        self.told: list[str] = []
        self.received = bytearray()
        self.reason: type[BaseException] | None = None
        self.hooks = hooks

    def tell(self, what: str) -> None:
        self.told.append(what)
        if what in self.hooks:
            self.hooks[what](self)

    def connectionMade(self) -> None:
        self.tell("made")

    def handshakeCompleted(self) -> None:
        self.tell("shaken")

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.tell("data")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.reason = reason.type
        self.tell("lost")


def pause(protocol: Recorder) -> None:
    """
    Stop reading.
    """
    protocol.transport.pauseProducing()


def fail(protocol: Recorder) -> None:
    """
    Fail as a bug would.
    """
    raise ZeroDivisionError


@implementer(IHalfCloseableProtocol)
class HalfRecorder(Recorder):
    """
    A recorder that stays connected when the peer ends.
    """

    @property
    def ended(self) -> bool:
        """
        Whether the peer has ended.
        """
        return "readEnded" in self.told

    def readConnectionLost(self) -> None:
        self.tell("readEnded")

    def writeConnectionLost(self) -> None:
        self.tell("writeEnded")


class Server(Factory):
    """
    Makes protocols.

    @ivar peers: the addresses that they were made for.
    """

    noisy = False

    def __init__(self, make: Callable[[], Protocol | None]) -> None:
        self.make = make
        self.peers: list[IAddress | None] = []

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        self.peers.append(addr)
        return self.make()


class Dialer(ClientFactory[Protocol]):
    """
    Makes protocols, and records the events of the attempts to connect.

    @param hooks: further calls for events, by the names of these; called with
        the connector.
    @ivar told: the names of its events, in order: C{start}, C{connecting},
        C{built}, C{lost}, C{failed}, C{stop}.
    @ivar reasons: why connections were lost, or attempts failed.
    """

    noisy = False

    def __init__(
        self, make: Callable[[], Protocol | None], **hooks: Callable[[Any], object]
    ) -> None:
        self.make = make
        self.hooks = hooks
        self.told: list[str] = []
        self.reasons: list[type[BaseException] | None] = []

    def tell(self, what: str, connector: Any) -> None:
        self.told.append(what)
        if what in self.hooks:
            self.hooks[what](connector)

    def startFactory(self) -> None:
        self.told.append("start")

    def stopFactory(self) -> None:
        self.told.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.tell("connecting", connector)

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        self.told.append("built")
        return self.make()

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.reasons.append(reason.type)
        self.tell("lost", connector)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.reasons.append(reason.type)
        self.tell("failed", connector)
