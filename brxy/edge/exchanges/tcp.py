"""
Carriers of TCP connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Client
from brxy.edge.exchanges.table import Exchange, Input
from brxy.wire.frames import KIND_TCP

if TYPE_CHECKING:
    from brxy.edge.dispatch import Dispatch

__all__ = ["TCPCarrier"]


class TCPCarrier(Carrier):
    """
    A whole TCP connection as one exchange.
    """

    def __init__(self, client: Client, brokerage: Dispatch, route: str) -> None:
        self.near = client
        self._brokerage = brokerage
        self.exchange = Exchange(route, KIND_TCP, False, brokerage.retries, self)

    def _first(self) -> bytes:
        return b"".join(self.exchange.copy or ())

    def _send(self) -> None:
        super()._send()
        if self.exchange.complete and self.far is not None:
            self.ended(self.near)

    def clientEnded(self) -> None:
        """
        The client half-closed.  One that has sent nothing yet, and waits for
        nobody, is gone.
        """
        exchange = self.exchange
        exchange.complete = True
        if self.far is not None:
            self.ended(self.near)
        elif not exchange.copy:
            self.hangup()

    def accepted(self) -> None:
        """
        The app is there: from now on bytes pass both ways.
        """
        self._perform(Input.SWITCHED)
        self.exchange.forget()
        self.near.accepted()
