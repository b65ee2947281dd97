"""
HTTP/1 clients: their connections, request by request.
"""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from brxy.edge.clients.answering import DATE, VIA
from brxy.edge.clients.bodies import HOLD_PIPELINE
from brxy.edge.clients.connection import HOLD_COPY
from brxy.edge.clients.listener import HTTPListener
from brxy.edge.clients.own.answerer import Answerer
from brxy.edge.clients.timeouts import Awaited
from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.making import makeHandled
from brxy.edge.exchanges.recorded import RecordedHTTP
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.table import AT_WORK, HELD, TUNNEL
from brxy.edge.exchanges.traced import TracedHTTP
from brxy.errors import BadRequest
from brxy.http.messages import UNTIL_CLOSE, RequestHead, ResponseHead, forwardedLines, requestHead
from brxy.tls.transport import TLSTransport
from brxy.transport.holding import HOLD_PEER
from brxy.transport.stream import EpollTransport

__all__ = ["HTTPClient"]

# Bytes that a client may send ahead of the answer that it waits for.
PIPELINE_LIMIT = 65536


class HTTPClient(Answerer):
    """
    One client's connection: requests one after another, answered in order.

    It is also the L{brxy.edge.exchanges.ends.HTTPClientEnd} of each of its requests.

    @ivar is_trusted: see L{brxy.edge.exchanges.ends.HTTPClientEnd}.
    @ivar forwarded: see L{brxy.edge.exchanges.ends.HTTPClientEnd}.
    @ivar serves_half_closed: see L{brxy.edge.exchanges.ends.HTTPClientEnd}.
    """

    is_trusted = False

    def __init__(self, listener: HTTPListener, peer: IAddress | None = None) -> None:
        super().__init__(listener, peer)
        self.serves_half_closed = listener.serves_half_closed
        self._render = listener.answers.render
        self._advancing = False
        # Some bytes of a head have come.
        self._begun = False
        self._requests = 0
        # The connection itself, below TLS.
        self._below: EpollTransport | None = None
        self.forwarded = b""

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        transport = self.transport
        below = transport.transport if isinstance(transport, TLSTransport) else transport
        if type(below) is EpollTransport:
            self._below = below
            if self.listener.buffer is not None:
                below.limitBuffer(self.listener.buffer)
        self.forwarded = forwardedLines(self.address.encode(), self.scheme, VIA)

    def advance(self) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        # An answer of our own leads to the next request at once: a loop instead of a
        # recursion, for any number of requests that were sent ahead.
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
            return self.readBody(self._body, carrier)
        if carrier.exchange.progress is TUNNEL:
            data, self._inbox = self._inbox, b""
            if data:
                carrier.received(data)
        elif len(self._inbox) > PIPELINE_LIMIT:
            self.hold(HOLD_PIPELINE)
        return False

    def _readHead(self) -> bool:
        """
        Begin the next request if its head is complete.

        @return: whether there may be more to do.
        """
        if self._below is not None:
            self._below.pauseIfBehind()
        if self.congested:
            # A slot would be held for a client that still has to take the last response.
            self.hold(HOLD_PIPELINE)
            return False
        try:
            parsed = requestHead(self._inbox)
        except BadRequest as error:
            self.refuse(Refusal(error.status, str(error)))
            return False
        if parsed is None:
            if self.read_ended:
                self.close()
            elif not self._begun:
                self._begun = True
                self.listener.heads.start(self)
            return False
        if self._begun:
            self._begun = False
            self.listener.heads.stop(self)
        head, taken = parsed
        self._inbox = self._inbox[taken:]
        self.begin(head)
        return True

    def begin(self, head: RequestHead) -> None:
        """
        Begin a request.  What has come of its body is still to be read.
        """
        listener = self.listener
        self._head = head
        self._checks = 0
        self._keep = head.keep_alive
        route, handling = listener.route(head.host), None
        if route is None:
            found = self.findRoute(head)
            if found is None:
                return
            route, handling = found
        if (listener.interceptors or handling is not None) and self.isAnswered(head, handling):
            return
        most = listener.max_body if handling is None else handling.maxBody(listener.max_body)
        if 0 < most < head.length:
            self.refuse(refusals.BODY_TOO_LARGE)
            return
        records = self._dispatcher.records
        # A cold start has a receipt for those that are trusted.
        recorded = records.active or self.is_trusted and not records.hasReady(route)
        number = next(listener.request_ids)
        if handling is None:
            make = (TracedHTTP if records.tracer else RecordedHTTP) if recorded else HTTPCarrier
            carrier = make(self, self._dispatcher, route, head, number)
        else:
            carrier = makeHandled(handling, recorded, self, self._dispatcher, route, head, number)
        self._carrier = carrier
        if listener.max_requests:
            self._requests += 1
            if self._requests >= listener.max_requests:
                self._keep = False
        if head.length == 0:
            carrier.exchange.complete = True
        elif not self.beginBody(head, carrier, most):
            return
        self._dispatcher.wait(carrier.exchange)

    # As the end of an exchange

    @property
    def chunked(self) -> bool:
        """
        See L{brxy.edge.exchanges.ends.HTTPClientEnd}.
        """
        return self._head is not None and self._head.http11

    def interim(self, head: ResponseHead) -> None:
        """
        An informational response, which HTTP/1.0 does not have.
        """
        if self.chunked:
            self.write(self._render(head, True, True, VIA, DATE))

    def answer(self, head: ResponseHead, first: bytes, added: bytes = b"") -> None:
        """
        The head of the response.
        """
        request = self._head
        assert request is not None, "an answer without a request"
        http11, length = request.http11, head.length
        if length < 0 and (length == UNTIL_CLOSE or not http11) or self._dispatcher.leaving:
            # The end of the connection ends the body; or the edge is stopping.
            self._keep = False
        text = self._render(head, http11, self._keep, VIA, DATE)
        if added:
            text = text[:-2] + added + b"\r\n"
        self.write(text + first)

    def fail(self, refusal: Refusal, added: bytes = b"") -> None:
        """
        The exchange is over without a response from an app.
        """
        self._keep = self._body is None and self.mayKeep()
        self.conclude(self.listener.refuse(refusal, self._head, self._keep, added))

    def next(self) -> None:
        """
        The exchange is over, and the next request may follow if the connection is kept.
        """
        self._carrier = self._head = self._body = None
        dispatcher = self._dispatcher
        if not self._keep or dispatcher.leaving and not dispatcher.handed_over:
            # Requests that are not read would make a close cut off the answer.
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

    def emptied(self) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        super().emptied()
        if self._carrier is None:
            self.release(HOLD_PIPELINE)
            self.advance()

    def exchangeOver(self) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
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
        elif carrier is not None:
            progress = carrier.exchange.progress
            # What a tunnel or a client that is served has sent before its end is read first.
            if progress is HELD or not (self.serves_half_closed or progress is TUNNEL):
                carrier.hangup()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self.listener.heads.stop(self)
        super().closed(reason)

    def leave(self) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        if self._carrier is None and not self._inbox:
            self.close()

    def tooSlow(self) -> None:
        """
        The head of a request takes too long.
        """
        self.refuse(refusals.REQUEST_TOO_SLOW)

    def awaits(self) -> Awaited:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        carrier = self._carrier
        if carrier is not None and carrier.exchange.progress is TUNNEL:
            return Awaited.TUNNEL
        if self.isBehind():
            return Awaited.READING
        if carrier is None:
            # Heads have a time of their own.
            return Awaited.NOTHING if self._begun else Awaited.REQUEST
        if self._body is not None and not self._holds:
            return Awaited.BODY
        return Awaited.RESPONSE if carrier.exchange.progress in AT_WORK else Awaited.NOTHING

    def giveUp(self, awaited: Awaited) -> None:
        """
        See L{brxy.edge.clients.connection.ClientConnection}.
        """
        if awaited == Awaited.REQUEST:
            self.close()
        elif awaited == Awaited.BODY and self._carrier is not None:
            self._carrier.badRequest(refusals.BODY_TOO_SLOW)
        elif awaited == Awaited.RESPONSE and self._carrier is not None:
            self._carrier.silent()
        else:
            super().giveUp(awaited)
