"""
Carrying one HTTP request and its response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.ends import Client
from brxy.edge.exchanges.refusals import APP_SILENT, BAD_RESPONSE, Refusal
from brxy.edge.exchanges.table import ANSWERING, HELD, RUNNING, TUNNEL, Exchange, Input
from brxy.errors import BadResponse
from brxy.http.body import Body, LengthBody, framingFor
from brxy.http.messages import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    isSwitchAsked,
    renderRequest,
    renderResponse,
    renderSecured,
    responseHead,
)
from brxy.transport.splice import Move
from brxy.wire.frames import KIND_HTTP

if TYPE_CHECKING:
    from brxy.edge.dispatch import Dispatch

__all__ = ["VIA", "HTTPCarrier", "HTTPSource", "SecuredCarrier"]

VIA = b"1.1 brxy"

_ACCEPTED, _ANSWERED, _HEAD = Input.ACCEPTED, Input.ANSWERED, Input.HEAD

# Of a response's body with a known length, so many more bytes are worth the
# trouble of moving them without reading them.
MOVE_LEAST = 256 * 1024


class HTTPSource(Client, Protocol):
    """
    An HTTP client's connection as a carrier uses it.

    @ivar forwarded: what an app is told of it, see
        L{brxy.http.render.forwardedLines}.
    @ivar added: field lines that each answer to it has.
    """

    forwarded: bytes
    added: bytes


class HTTPCarrier(Carrier):
    """
    One HTTP request with its response.

    @ivar head: the head of the request.
    """

    near: HTTPSource
    _inbox = b""
    _body: Body | None = None
    _response: ResponseHead | None = None

    def __init__(
        self,
        client: HTTPSource,
        brokerage: Dispatch,
        route: str,
        head: RequestHead,
        request_id: bytes,
    ) -> None:
        self.near = client
        self._brokerage = brokerage
        self.exchange = Exchange(route, KIND_HTTP, head.idempotent, brokerage.retries, self)
        self.head = head
        self._request_id = request_id
        self._keep_client = head.keep_alive

    def _first(self) -> bytes:
        head = renderRequest(self.head, self.near.forwarded, self._request_id)
        copy = self.exchange.copy
        return b"".join((head, *copy)) if copy else head

    def closeAfter(self) -> None:
        """
        This is the last request on the client's connection.
        """
        self._keep_client = False

    def badRequest(self, status: int, text: str) -> None:
        """
        The request's body can't be passed on.
        """
        self._keep_client = False
        self._failure = Refusal(status, text)
        self._perform(Input.BAD_REQUEST)

    def clientEnded(self) -> None:
        """
        The client half-closed.  With its whole request sent and matched it
        still gets its answer; a held one is gone.
        """
        exchange = self.exchange
        if exchange.progress is TUNNEL:
            self.ended(self.near)
        elif not exchange.complete or exchange.progress is HELD:
            self.hangup()

    def silent(self) -> None:
        """
        The app takes too long for its response.
        """
        if self.exchange.progress is RUNNING:
            self._failure = APP_SILENT
            self._perform(Input.SILENT)

    # From the slot

    def accepted(self) -> None:
        """
        The app is there, and gets the request.
        """
        self._perform(_ACCEPTED)
        if self._brokerage.responses is not None:
            self._brokerage.responses.start(self)
        if not self.exchange.complete:
            self.near.accepted()

    def data(self, source: object, data: bytes) -> None:
        """
        Bytes of the response.
        """
        progress = self.exchange.progress
        if progress is TUNNEL:
            self.near.write(data)
            return
        try:
            if progress is ANSWERING:
                self._passBody(data)
            else:
                self._readHead(self._inbox + data)
        except BadResponse as error:
            self._failure = BAD_RESPONSE
            self._log.warn("{route}: bad response: {why}", route=self.exchange.route, why=error)
            self._perform(Input.BAD_RESPONSE)

    def ended(self, source: object) -> None:
        """
        An end will send nothing more.  From the app that is the end of a
        response only where nothing else marks it.
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

    def _delimitedByClose(self) -> bool:
        return self._response is not None and self._response.length == UNTIL_CLOSE

    def _readHead(self, data: bytes) -> None:
        while (parsed := responseHead(data, self.head.method)) is not None:
            response, taken = parsed
            self._response = response
            data = data[taken:]
            if response.status >= 200:
                self._readBody(response.length, data)
                return
            if response.status == 101:
                head = self.head
                if not head.upgrade or not isSwitchAsked(response, head.fields):
                    raise BadResponse("the app switched protocols unasked")
                self._begin(Input.SWITCHED, data)
                self.near.accepted()
                return
            if not self.exchange.interim():
                raise BadResponse("the app sends informational responses without end")
            self._perform(Input.INTERIM)
        self._inbox = data

    def _readBody(self, length: int, data: bytes) -> None:
        if 0 <= length <= len(data) and self.exchange.complete:
            # All of it came with the head, as of most responses.
            self._keepApp(data[length:])
            self._begin(_ANSWERED, data[:length])
            return
        decode = length == CHUNKED and not self.head.http11
        self._body = body = framingFor(length, decode=decode, error=BadResponse)
        # What comes with the head is judged before the head goes out.
        out, rest = body.feed(data)
        self._begin(_HEAD, out)
        if body.done:
            self._whole(rest)

    def _begin(self, event: Input, first: bytes) -> None:
        self._inbox = first
        if self._brokerage.responses is not None:
            self._brokerage.responses.stop(self)
        self._perform(event)

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
        if source is not None and target is not None:
            source.moveTo(Move(target, body.remaining, lambda: self._whole(b"")))

    def _whole(self, rest: bytes) -> None:
        self._keepApp(rest)
        self._perform(Input.WHOLE if self.exchange.complete else Input.WHOLE_EARLY)

    def _keepApp(self, rest: bytes) -> None:
        """
        The response is whole: is the app's connection good for another?

        @param rest: what came behind it.  Nobody asked for that, and it would
            be taken for the next response.
        """
        response = self._response
        assert response is not None, "a response ended that never began"
        self._keep_app = response.keep_alive and self.exchange.complete and not rest

    # Actions

    def _passInterim(self) -> None:
        response = self._response
        if response is not None and self.head.http11:
            self.near.write(renderResponse(response, http11_client=True, keep_alive=True, via=VIA))

    def _requeue(self) -> None:
        # What came of an answer was not whole.
        self._inbox = b""
        super()._requeue()

    def _answer(self) -> None:
        response = self._response
        assert response is not None, "answering without a response"
        self.exchange.forget()
        http11, length = self.head.http11, response.length
        if length < 0 and (length == UNTIL_CLOSE or not http11) or self._brokerage.leaving:
            # Only the end of the connection tells the end of it, or we are going.
            self._keep_client = False
        head = self._render(response, http11_client=http11, keep_alive=self._keep_client, via=VIA)
        first, self._inbox = self._inbox, b""
        self.near.write(head + first)

    _render = staticmethod(renderResponse)

    def _next(self) -> None:
        self.near.next(self._keep_client)


class SecuredCarrier(HTTPCarrier):
    """
    One whose client shall come by https from now on.
    """

    def _render(self, head: ResponseHead, **how: Any) -> bytes:
        return renderSecured(head, self.near.added, **how)
