"""
Connections of which one is heard in each turn of the reactor, however many have
something to say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure

from brxy.reactor.turns import TurnQueue

__all__ = ["PacedFactory"]

# Bytes that wait for the turn of their connection.  To pause it instead could lose
# what a peer has sent that hangs up meanwhile: Twisted reads no more then.
_MOST = 1 << 20


class PacedFactory(WrappingFactory[Any]):
    """
    Makes protocols that are told in turns of their own what comes.

    @param turns: calls what it is given.
    """

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, turns: TurnQueue[Callable[[], object]]) -> None:
        super().__init__(wrapped)
        self.protocol = _Paced
        self.turns = turns


class _Paced(ProtocolWrapper):
    """
    Holds what comes until it is its turn.
    """

    def __init__(self, factory: PacedFactory, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)
        self._turns = factory.turns
        self._data = b""
        self._lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Something comes.
        """
        self._data += data
        if len(self._data) > _MOST:
            self._tell()
        else:
            self._turns.add(self._tell)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        No more comes.
        """
        self._lost = reason
        self._turns.add(self._tell)

    def _tell(self) -> None:
        data, self._data = self._data, b""
        if data:
            super().dataReceived(data)
        if self._lost is not None:
            super().connectionLost(self._lost)
