"""
The bodies of requests, as HTTP/1 clients send them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress

from brxy.edge.clients.connection import HOLD_COPY, ClientConnection
from brxy.edge.clients.listener import HTTPListener
from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.table import COLLECTING
from brxy.errors import BadRequest
from brxy.http.body import Body, framingFor
from brxy.http.messages import RequestHead

__all__ = ["HOLD_PIPELINE", "BodyReader"]

# Why a client is not read from: it sends further requests while one is being
# answered.
HOLD_PIPELINE = 4

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BodyReader(ClientConnection[HTTPCarrier]):
    """
    The part of L{brxy.edge.clients.http1.HTTPClient} that reads the bodies of requests.

    @ivar listener: what it shares with others.
    """

    def __init__(self, listener: HTTPListener, peer: IAddress | None = None) -> None:
        super().__init__(listener, peer)
        self.listener = listener
        self._dispatcher = listener.dispatcher
        # The rest of the body of the current request, which has not come yet.
        self._body: Body | None = None
        self._most = self._room = 0

    def beginBody(self, head: RequestHead, carrier: HTTPCarrier, most: int) -> bool:
        """
        A request with a body begins.

        @param most: bytes that the body may have; 0 for no limit.
        @return: whether its exchange is to wait for a slot now.
        """
        self._body = framingFor(head.length, head.fields)
        self._most = self._room = most
        # What has come with the head goes to the app in one write with it.
        while self._body is not None and self._feed(self._body, carrier):
            pass
        if self._carrier is not carrier:
            return False
        if self._body is None or not self._dispatcher.buffer.takes(head):
            return True
        carrier.collect()
        if head.expect_continue:
            self.write(_CONTINUE)
        # There may be room for more now.
        self.release(HOLD_COPY)
        return False

    def readBody(self, body: Body, carrier: HTTPCarrier) -> bool:
        """
        Pass on what has come of a body, or keep it.

        @return: whether there may be more to do.
        """
        more = self._feed(body, carrier)
        if carrier.exchange.progress is COLLECTING:
            carrier.collected()
        return more

    def _feed(self, body: Body, carrier: HTTPCarrier) -> bool:
        room = carrier.exchange.room()
        if room <= 0:
            self.hold(HOLD_COPY)
            return False
        data, later = self._inbox[:room], self._inbox[room:]
        if not data:
            return False
        try:
            out, rest = body.feed(data)
        except BadRequest as error:
            carrier.badRequest(Refusal(error.status, str(error)))
            return False
        self._inbox = rest + later if later else rest
        if self._most:
            self._room -= len(out)
            if self._room < 0:
                carrier.badRequest(refusals.BODY_TOO_LARGE)
                return False
        if out:
            carrier.received(out)
        if body.done and self._body is body:
            self._body = None
            carrier.exchange.complete = True
        return True

    def handOn(self, take: Callable[[ClientConnection[Any]], object]) -> None:
        """
        See L{ClientConnection}.
        """
        if self._carrier is None:
            take(self)

    def takeUnread(self) -> bytes:
        """
        See L{ClientConnection}.
        """
        pending = b"" if self._body is None else self._body.pending
        self._body = None
        return pending + super().takeUnread()

    def accepted(self) -> None:
        """
        Read from the client again: there is room for more of the request, or everything that comes
        now goes straight through.
        """
        self.release(HOLD_COPY | HOLD_PIPELINE)
        self.advance()
