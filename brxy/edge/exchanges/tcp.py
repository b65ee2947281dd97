"""
Carriers of TCP connections.
"""

from __future__ import annotations

from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Client, Dispatcher
from brxy.edge.exchanges.table import Exchange, Input
from brxy.wire.frames import KIND_TCP

__all__ = ["TCPCarrier"]


class TCPCarrier(Carrier):
    """
    A whole TCP connection as one exchange.
    """

    def __init__(self, client: Client, dispatcher: Dispatcher, route: str) -> None:
        self.near = client
        self._dispatcher = dispatcher
        self.exchange = Exchange(route, KIND_TCP, False, dispatcher.retries, client.client, self)

    def _first(self) -> bytes:
        return b"".join(self.exchange.copy or ())

    def _send(self) -> None:
        super()._send()
        if self.exchange.complete and self.far is not None:
            self.ended(self.near)

    def clientEnded(self) -> None:
        """
        The client half-closed.  A held client that has sent nothing is gone.
        """
        exchange = self.exchange
        exchange.complete = True
        if self.far is not None:
            self.ended(self.near)
        elif not exchange.copy:
            self.hangup()

    def accepted(self) -> None:
        """
        The app is connected: from now on bytes pass both ways.
        """
        self._perform(Input.SWITCHED)
        # Bytes of the client are sent now: the connection can't be offered again.
        self.exchange.copy = None
        self.near.accepted()
