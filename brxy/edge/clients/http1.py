"""
HTTP clients: their connections, request by request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.edge.clients.connection import HOLD_COPY, ClientConnection
from brxy.edge.clients.timeouts import Awaited
from brxy.edge.exchanges.http import VIA, HTTPCarrier
from brxy.edge.exchanges.table import HELD, TUNNEL
from brxy.errors import BadRequest
from brxy.http.body import Body, framingFor
from brxy.http.messages import (
    RequestHead,
    forwardedLines,
    plainResponse,
    requestHead,
)
from brxy.interfaces import IExchangeEnd
from brxy.transport.connection import HOLD_PEER

if TYPE_CHECKING:
    from brxy.edge.clients.httpfactory import HTTPFactory

__all__ = ["HTTPClient"]

# Why a client is not read from: it sends further requests while one is being
# answered.
HOLD_PIPELINE = 4

# What a client may send ahead of the answer it waits for.
PIPELINE_LIMIT = 65536


@implementer(IExchangeEnd)
class HTTPClient(ClientConnection[HTTPCarrier]):
    """
    One client's connection: requests one after another, answered in order.

    @ivar forwarded: see L{brxy.edge.exchanges.http.HTTPSource}.
    @ivar added: likewise.
    """

    def __init__(self, factory: HTTPFactory, peer: IAddress | None = None) -> None:
        super().__init__(factory, peer)
        self._factory = factory
        self._head: RequestHead | None = None
        self._body: Body | None = None
        self._advancing = False
        # Some bytes of a head have come.
        self._begun = False
        self._requests = 0
        self._room = 0
        self.forwarded = b""
        self.added = factory.added

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        self.forwarded = forwardedLines(self.address.encode(), self._factory.scheme, VIA)

    def advance(self) -> None:
        """
        See L{ClientConnection}.
        """
        # An answer of our own asks for the next request at once: a loop, not a
        # recursion, however many were sent ahead.
        if self._advancing:
            return
        self._advancing = True
        try:
            more = True
            while more and self.alive and (self._inbox or self._body is not None):
                more = self._readHead() if self._carrier is None else self._readOn(self._carrier)
        finally:
            self._advancing = False

    def _readOn(self, carrier: HTTPCarrier) -> bool:
        """
        Do one thing with what has come in since a request began.

        @return: whether there may be more to do.
        """
        if self._body is not None:
            return self._readBody(self._body, carrier)
        if carrier.exchange.progress is TUNNEL:
            data, self._inbox = self._inbox, b""
            if data:
                carrier.received(data)
        elif len(self._inbox) > PIPELINE_LIMIT:
            self.hold(HOLD_PIPELINE)
        return False

    def _readHead(self) -> bool:
        """
        Begin the next request, if all of its head is there.

        @return: whether there may be more to do.
        """
        try:
            parsed = requestHead(self._inbox)
        except BadRequest as error:
            self._refuse(error.status, str(error))
            return False
        if parsed is None:
            if self.read_ended:
                self.close()
            elif not self._begun:
                self._begun = True
                self._factory.heads.start(self)
            return False
        if self._begun:
            self._begun = False
            self._factory.heads.stop(self)
        head, taken = parsed
        self._inbox = self._inbox[taken:]
        self._begin(head)
        return True

    def _begin(self, head: RequestHead) -> None:
        factory = self._factory
        route = factory.route(head.host)
        if route is None:
            # Its body, if it has one, is not worth waiting for.
            self._refuse(404, "no such app", keep=head.keep_alive and head.length == 0, head=head)
            return
        if 0 < factory.max_body < head.length:
            self._refuse(413, "the body is too large", head=head)
            return
        self._head = head
        self._looks = 0
        carrier = factory.carrier(self, factory.brokerage, route, head, factory.requestId())
        self._carrier = carrier
        if factory.max_requests:
            self._requests += 1
            if self._requests >= factory.max_requests:
                carrier.closeAfter()
        if head.length == 0:
            carrier.exchange.complete = True
        else:
            self._body = framingFor(head.length)
            self._room = factory.max_body
            # What has come with the head goes to the app in one write with it.
            while self._body is not None and self._readBody(self._body, carrier):
                pass
        if self._carrier is carrier:
            factory.brokerage.wait(carrier.exchange)

    def _readBody(self, body: Body, carrier: HTTPCarrier) -> bool:
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
            carrier.badRequest(error.status, str(error))
            return False
        self._inbox = rest + later if later else rest
        if self._factory.max_body:
            self._room -= len(out)
            if self._room < 0:
                carrier.badRequest(413, "the body is too large")
                return False
        if out:
            carrier.received(out)
        if body.done and self._body is body:
            self._body = None
            carrier.exchange.complete = True
        return True

    def _refuse(
        self, status: int, text: str, keep: bool = False, head: RequestHead | None = None
    ) -> None:
        self._head = head
        self._answer(status, text, None, keep)

    def _answer(self, status: int, text: str, retry_after: int | None, keep: bool) -> None:
        head_only = self._head is not None and self._head.method == b"HEAD"
        self.write(
            plainResponse(
                status,
                text,
                keep_alive=keep,
                retry_after=retry_after,
                head_only=head_only,
                added=self.added,
            )
        )
        if keep:
            self.next(True)
        else:
            self.over()
            self.linger()

    # As a carrier's client

    def fail(self, status: int, text: str, retry_after: int | None) -> None:
        """
        Answer with an error of the edge's own.
        """
        head = self._head
        keep = head is not None and head.keep_alive and self._body is None
        limit = self._factory.max_requests
        if limit and self._requests >= limit:
            keep = False
        self._answer(status, text, retry_after, keep and not self._factory.brokerage.leaving)

    def accepted(self) -> None:
        """
        There is room for more of the request; or all that comes now goes
        straight through.
        """
        self.release(HOLD_COPY | HOLD_PIPELINE)
        self.advance()

    def next(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the client may ask again on this connection.
        """
        self._carrier = self._head = self._body = None
        if not keep or self._factory.brokerage.leaving:
            # Requests that nobody will read would make a close cut off the answer.
            if self._inbox:
                self.linger()
            else:
                self.close()
            return
        if self.read_ended and not self._inbox:
            self.close()
            return
        if self._holds:
            self.release(HOLD_PEER | HOLD_COPY | HOLD_PIPELINE)
        if self._inbox:
            self.advance()

    def over(self) -> None:
        """
        See L{ClientConnection}.
        """
        self._carrier = self._head = self._body = None

    # The end of it

    def hungUp(self, broken: bool) -> None:
        """
        The client hung up while it was not read from.
        """
        carrier = self._carrier
        if broken:
            self.abort()
        elif carrier is not None and carrier.exchange.progress is HELD:
            carrier.hangup()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._factory.heads.stop(self)
        super().closed(reason)

    def leave(self) -> None:
        """
        The edge is going: a client that asks for nothing is let go.
        """
        if self._carrier is None and not self._inbox:
            self.close()

    def tooSlow(self) -> None:
        """
        The head of a request takes too long.
        """
        self._refuse(408, "the request took too long")

    def awaits(self) -> Awaited:
        """
        See L{ClientConnection}.
        """
        carrier = self._carrier
        if carrier is not None and carrier.exchange.progress is TUNNEL:
            return Awaited.TUNNEL
        if self.isBehind():
            return Awaited.READING
        if carrier is None:
            # The time for a head is another.
            return Awaited.NOTHING if self._begun else Awaited.REQUEST
        return Awaited.BODY if self._body is not None and not self._holds else Awaited.NOTHING

    def giveUp(self, awaited: Awaited) -> None:
        """
        See L{ClientConnection}.
        """
        if awaited == Awaited.REQUEST:
            self.close()
        elif awaited == Awaited.BODY and self._carrier is not None:
            self._carrier.badRequest(408, "the body came too slowly")
        else:
            super().giveUp(awaited)
