"""
Carriers of requests for whose routes the settings say how they are handled.

They are used in place of the others, so that these pay nothing for it.
"""

from __future__ import annotations

from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.recorded import RecordedHTTP
from brxy.edge.exchanges.table import Input
from brxy.edge.routing.handling import Handling

__all__ = ["HandledHTTP", "RecordedHandledHTTP"]


class HandledHTTP(HTTPCarrier):
    """
    An L{HTTPCarrier} that changes the request and its response as its route says.
    """

    _handling: Handling

    def handle(self, handling: Handling) -> None:
        """
        Handle the exchange, which has not begun, in this way.
        """
        self._handling = handling
        self.asked = self.head
        self.head = handling.request(self.head)

    def _begin(self, event: Input, first: bytes) -> None:
        response = self._response
        if response is not None and response.status >= 200:
            self._response = self._handling.response(response)
        super()._begin(event, first)

    def _fail(self) -> None:
        self._added += self._handling.own
        super()._fail()


class RecordedHandledHTTP(HandledHTTP, RecordedHTTP):
    """
    A L{HandledHTTP} that records its exchange.
    """
