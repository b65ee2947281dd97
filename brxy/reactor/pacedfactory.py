"""
A factory whose protocols receive data one at a time: one in each turn of the reactor.
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

# At most this many bytes wait for the turn of their connection.  Pausing it instead could
# lose data of a peer that hangs up meanwhile, since Twisted stops reading then.
_MOST = 1 << 20


class PacedFactory(WrappingFactory[Any]):
    """
    Makes protocols, and passes on to each what it receives in a turn of its own.

    @param turns: calls the functions that are added to it.
    """

    noisy = False

    def __init__(self, wrapped: IProtocolFactory, turns: TurnQueue[Callable[[], object]]) -> None:
        super().__init__(wrapped)
        self.protocol = _Paced
        self.turns = turns


class _Paced(ProtocolWrapper):
    """
    Holds data back until the turn of its protocol.
    """

    def __init__(self, factory: PacedFactory, wrapped: IProtocol) -> None:
        super().__init__(factory, wrapped)
        self._turns = factory.turns
        self._data = b""
        self._lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Data has come in: pass it on in a later turn.
        """
        self._data += data
        if len(self._data) > _MOST:
            self._tell()
        else:
            self._turns.add(self._tell)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is lost: pass that on in a later turn.
        """
        self._lost = reason
        self._turns.add(self._tell)

    def _tell(self) -> None:
        data, self._data = self._data, b""
        if data:
            super().dataReceived(data)
        if self._lost is not None:
            super().connectionLost(self._lost)
