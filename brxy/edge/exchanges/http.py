"""
Carrying one HTTP request and its response, as messages.
"""

from __future__ import annotations

from brxy.edge import events
from brxy.edge.exchanges import refusals
from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Dispatcher, HTTPClientEnd
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.table import (
    ANSWERING,
    AT_WORK,
    COPY_LIMIT,
    HELD,
    TUNNEL,
    Exchange,
    Input,
)
from brxy.errors import BadResponse
from brxy.http.body import Body, LengthBody, framingFor
from brxy.http.messages import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    isSwitchAsked,
    renderOldRequest,
    renderRequest,
    responseHead,
    withoutExpect,
)
from brxy.transport.splice import Move
from brxy.wire.frames import KIND_HTTP

__all__ = ["HTTPCarrier"]

_ACCEPTED, _ANSWERED, _HEAD = Input.ACCEPTED, Input.ANSWERED, Input.HEAD

# The rest of a body is moved without reading it if it is at least this long (bytes); for
# less, preparing that costs more than it saves.
MOVE_LEAST = 256 * 1024


class HTTPCarrier(Carrier):
    """
    One HTTP request with its response.

    @ivar head: the head of the request.
    @ivar asked: that head as it came, if it was changed.
    @ivar continues: the edge has answered the client's expectation.
    """

    near: HTTPClientEnd
    _inbox = b""
    asked: RequestHead | None = None
    continues = False
    _body: Body | None = None
    _response: ResponseHead | None = None
    # What was begun to be moved unread of the body.
    _move: Move | None = None
    # Field lines of the edge's own for the response.
    _added = b""

    def __init__(
        self,
        client: HTTPClientEnd,
        dispatcher: Dispatcher,
        route: str,
        head: RequestHead,
        request_id: bytes,
    ) -> None:
        self.near = client
        self._dispatcher = dispatcher
        self.exchange = Exchange(
            route, KIND_HTTP, head.idempotent, dispatcher.retries, client.client, self
        )
        self.head = head
        self._request_id = request_id

    def _first(self) -> bytes:
        head, exchange = self.head, self.exchange
        forwarded, number = self.near.forwarded, self._request_id
        if head.http11:
            text = renderRequest(head, forwarded, number)
        else:
            text = renderOldRequest(head, forwarded, number, exchange.route)
        if not exchange.copy:
            return text
        self._discard()
        return b"".join((text, *exchange.copy))

    def collect(self) -> None:
        """
        Collect the body of the request before it waits for a slot.
        """
        # The edge has answered the expectation: an app need not do it once more.
        if self.head.expect_continue:
            self.continues = True
            self.head = withoutExpect(self.head)
        self._dispatcher.buffer.begin(self.exchange)

    def collected(self) -> None:
        """
        More of a body that is collected has come.
        """
        exchange = self.exchange
        goes_on = self._dispatcher.buffer.keep(exchange)
        if exchange.complete or not goes_on:
            # What still comes is kept as for any other request.
            exchange.limit = COPY_LIMIT
            self._perform(Input.COLLECTED)

    def badRequest(self, refusal: Refusal) -> None:
        """
        The body of the request can't be passed on.
        """
        self._refusal = refusal
        self._perform(Input.BAD_REQUEST)

    def clientEnded(self) -> None:
        """
        The client half-closed.  That is how a client that has gone looks.  One that
        nevertheless waits gets its answer only if half-closed clients are served, and only
        if its request is complete and on a slot.
        """
        exchange = self.exchange
        if exchange.progress is TUNNEL:
            self.ended(self.near)
        elif (
            not self.near.serves_half_closed or not exchange.complete or exchange.progress is HELD
        ):
            self.hangup()

    def silent(self) -> None:
        """
        The app did not begin its response in time, or did not go on with it.
        """
        if self.exchange.progress in AT_WORK:
            self._refusal = refusals.APP_SILENT
            self._perform(Input.SILENT)

    # From the slot

    def accepted(self) -> None:
        """
        The app is connected, and the request goes to it.
        """
        self._perform(_ACCEPTED)
        if self._dispatcher.responses is not None:
            self._dispatcher.responses.start(self)
        if not self.exchange.complete:
            self.near.accepted()

    def data(self, source: object, data: bytes) -> None:
        """
        Bytes of the response.
        """
        progress = self.exchange.progress
        if progress is TUNNEL:
            self._passTunnel(data)
            return
        try:
            if progress is ANSWERING:
                self._passBody(data)
            else:
                self._readHead(self._inbox + data)
        except BadResponse as error:
            self._refusal = refusals.BAD_RESPONSE
            found = events.BadResponse(self.exchange.route, str(error))
            self._dispatcher.events.emit(found)
            self._perform(Input.BAD_RESPONSE)

    def ended(self, source: object) -> None:
        """
        An end will send nothing more.  From the app, that is the end of the response only
        if nothing else marks its end.
        """
        exchange = self.exchange
        if exchange.progress is TUNNEL:
            super().ended(source)
        elif exchange.progress is ANSWERING and self._delimitedByClose():
            self._whole(b"")
        else:
            far, self.far = self.far, None
            if far is not None:
                far.done(False)
            self._lost("the app closed before its response was complete")

    def _loss(self) -> Input:
        event = super()._loss()
        # An app would do the same work again for a client that does not wait for it.
        return Input.LOST if event == Input.LOST_AGAIN and self.near.hasLeft() else event

    def _delimitedByClose(self) -> bool:
        return self._response is not None and self._response.length == UNTIL_CLOSE

    def _readHead(self, data: bytes) -> None:
        while (parsed := responseHead(data, self.head.method)) is not None:
            response, taken = parsed
            self._response = response
            data = data[taken:]
            if response.status >= 200:
                self._readBody(response, data)
                return
            if response.status == 101:
                head = self.head
                if not head.upgrade or not isSwitchAsked(response, head.fields):
                    raise BadResponse("the app switched to a protocol that was not requested")
                self._begin(Input.SWITCHED, data)
                self.near.accepted()
                return
            if not self.exchange.interim():
                raise BadResponse("the app sent too many informational responses")
            self._perform(Input.INTERIM)
        self._inbox = data

    def _readBody(self, response: ResponseHead, data: bytes) -> None:
        length = response.length
        if 0 <= length <= len(data) and self.exchange.complete:
            # The whole response has come with its head, as most do.
            self._keepApp(data[length:])
            self._begin(_ANSWERED, data[:length])
            return
        decode = length == CHUNKED and not self.near.chunked
        self._body = body = framingFor(length, response.fields, decode=decode, error=BadResponse)
        # The first bytes of the body are checked before the head goes out.
        out, rest = body.feed(data)
        self._begin(_HEAD, out)
        if body.done:
            self._whole(rest)

    def _begin(self, event: Input, first: bytes) -> None:
        self._inbox = first
        if self._dispatcher.responses is not None:
            self._dispatcher.responses.stop(self)
        self._perform(event)

    def _passTunnel(self, data: bytes) -> None:
        self.near.write(data)

    def _passBody(self, data: bytes) -> None:
        body = self._body
        assert body is not None, "a body without a head"
        out, rest = body.feed(data)
        if out:
            self.near.write(out)
        if body.done:
            self._whole(rest)
        elif type(body) is LengthBody and body.remaining >= MOVE_LEAST:
            self._moveBody(body)

    def _moveBody(self, body: LengthBody) -> None:
        source = None if self.far is None else self.far.stream
        target = self.near.stream
        # What is moved keeps the slot until the client has taken it.
        if source is not None and target is not None and not target.fits(body.remaining):
            self._move = move = Move(target, body.remaining, lambda: self._whole(b""))
            source.moveTo(move)

    def _whole(self, rest: bytes) -> None:
        self._keepApp(rest)
        self._perform(Input.WHOLE if self.exchange.complete else Input.WHOLE_EARLY)

    def _keepApp(self, rest: bytes) -> None:
        """
        The response is complete: find out whether the app's connection can be used again.

        @param rest: what came behind the response.  It was not requested, and would be
            taken for the next response.
        """
        response = self._response
        assert response is not None, "a response ended before it began"
        head = self.head
        # Of a request that offers an upgrade, a parser may take the body for the new protocol,
        # or for a request.
        doubtful = head.upgrade and head.length != 0
        complete = self.exchange.complete
        self._keep_app = response.keep_alive and complete and not rest and not doubtful

    # Actions

    def _fail(self) -> None:
        self.near.fail(self._refusal, self._added)

    def _passInterim(self) -> None:
        response = self._response
        assert response is not None, "an informational response without a head"
        self.near.interim(response)

    def _requeue(self) -> None:
        # The lost app may have sent a part of a head.
        self._inbox = b""
        super()._requeue()

    def _answer(self) -> None:
        response = self._response
        assert response is not None, "answering without a response"
        # Bytes of the response are sent now: the request can't be offered again.
        self.exchange.copy = None
        first, self._inbox = self._inbox, b""
        self.near.answer(response, first, self._added)
