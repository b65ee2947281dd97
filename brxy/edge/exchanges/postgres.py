"""
Carriers of TLS connections to PostgreSQL that are passed on undecrypted.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.edge.exchanges.ends import Client, Dispatcher
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.wire.postgres import SSL_REQUEST, YES

__all__ = ["RequestingCarrier"]


class RequestingCarrier(TCPCarrier):
    """
    A connection whose client has requested TLS, and was granted it by the edge: the app gets
    the same request, and the client does not see the app's answer.
    """

    def __init__(
        self, client: Client, dispatcher: Dispatcher, route: str, granted: Callable[[], None]
    ) -> None:
        """
        @param granted: called once, when the app has granted it.  Until then the client
            passes nothing on.
        """
        super().__init__(client, dispatcher, route)
        self._granted: Callable[[], None] | None = granted
        self.received(SSL_REQUEST)

    def data(self, source: object, data: bytes) -> None:
        """
        See L{brxy.transport.relay.Relay}.
        """
        granted = self._granted
        if granted is None or source is self.near:
            super().data(source, data)
        elif data == YES:
            self._granted = None
            granted()
        elif data:
            self._denied()

    def ended(self, source: object) -> None:
        """
        See L{brxy.transport.relay.Relay}.
        """
        if self._granted is None or source is self.near:
            super().ended(source)
        else:
            self._denied()

    def _denied(self) -> None:
        # It speaks no TLS, or no protocol of PostgreSQL.
        self._dispatcher.lost(self.exchange, "the app does not grant the TLS that it needs")
        self.near.reset()
        self.hangup()
