"""
Carrying one exchange from its client to a slot and back.

A carrier feeds L{brxy.edge.exchange} with what happens and performs what that
decides.  It is the relay between the client's connection and the slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from brxy.edge.exchange import Exchange, Input, Progress
from brxy.edge.framing import framingFor
from brxy.edge.http1 import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    renderRequest,
    renderResponse,
    responseHead,
)
from brxy.edge.instance import Instance
from brxy.errors import BadResponse
from brxy.relay import End, Relay
from brxy.wire import KIND_HTTP, KIND_TCP

if TYPE_CHECKING:
    from brxy.edge.brokerage import Brokerage

__all__ = ["VIA", "Carrier", "Client", "HTTPCarrier", "SlotEnd", "TCPCarrier"]

VIA = b"1.1 brxy"


class SlotEnd(End, Protocol):
    """
    A slot as a carrier uses it: an end that exchanges are opened on.
    """

    instance: Instance

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None: ...

    def done(self, keep: bool) -> None: ...


class Client(End, Protocol):
    """
    A client's connection as a carrier uses it.

    @ivar address: the client's, as text.
    """

    address: str

    def fail(self, status: int, text: str, retry_after: int | None) -> None: ...

    def accepted(self) -> None: ...

    def next(self, keep: bool) -> None: ...

    def linger(self) -> None: ...

    def close(self) -> None: ...


class Carrier(Relay):
    """
    One exchange on its way.

    @ivar exchange: its state.
    """

    near: Client
    far: SlotEnd | None

    def __init__(
        self, client: Client, brokerage: Brokerage, route: str, kind: int, idempotent: bool
    ) -> None:
        super().__init__(client, None)
        self._brokerage = brokerage
        self._failure: tuple[int, str, int | None] = (502, "", None)
        self._keep_app = False
        self.exchange = Exchange(route, kind, idempotent, brokerage.retries, self)

    def _perform(self, event: Input) -> None:
        for action in self.exchange.step(event):
            getattr(self, _METHODS[action])()

    # From the client

    def received(self, data: bytes) -> None:
        """
        Bytes of the request.  The client gives no more than
        C{exchange.room()}.
        """
        exchange = self.exchange
        if exchange.copy is not None:
            exchange.keep(data)
        if self.far is not None:
            self.far.write(data)

    def hangup(self) -> None:
        """
        The client is gone.
        """
        self._perform(Input.HANGUP)

    # From the brokerage

    def matched(self, slot: SlotEnd) -> None:
        """
        A slot takes the exchange.
        """
        self.far = slot
        self._perform(Input.MATCHED)

    def reject(self, status: int, text: str, retry_after: int | None) -> None:
        """
        No slot takes it.
        """
        self._failure = (status, text, retry_after)
        self._perform(Input.REJECTED)

    # From the slot

    def refused(self, reason: str) -> None:
        """
        No byte reached the app.
        """
        self.far = None
        self._perform(Input.REFUSED)

    def aborted(self, source: object, reason: str) -> None:
        """
        The slot or the app broke off; the slot has freed itself.
        """
        self.far = None
        self._lost(reason)

    def _lost(self, reason: str) -> None:
        event = self.exchange.loss()
        if event == Input.LOST:
            self._brokerage.lost(self.exchange, reason)
        self._failure = (502, "the app broke off before its response was complete", None)
        self._perform(event)

    def finished(self) -> None:
        """
        Both directions of a tunnel have ended.
        """
        self._perform(Input.WHOLE)

    # Actions

    def _first(self) -> bytes:
        raise NotImplementedError

    def _send(self) -> None:
        far = self.far
        assert far is not None, "matched without a slot"
        exchange = self.exchange
        far.open(self, exchange.kind, exchange.once, self.near.address, self._first())
        # Opening may already have failed.
        if self.far is far and self.near.congested:
            far.pause()

    def _requeue(self) -> None:
        self._ended = None
        self._brokerage.requeue(self.exchange)

    def _withdraw(self) -> None:
        self._brokerage.cancel(self.exchange)

    def _fail(self) -> None:
        self.near.fail(*self._failure)

    def _cut(self) -> None:
        self.near.reset()

    def _release(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            self._brokerage.answered(far.instance)
            far.done(self._keep_app)

    def _reset(self) -> None:
        far, self.far = self.far, None
        if far is not None:
            far.reset()

    def _answer(self) -> None:
        raise NotImplementedError

    def _passInterim(self) -> None:
        raise NotImplementedError

    def _next(self) -> None:
        raise NotImplementedError

    def _linger(self) -> None:
        self.near.linger()

    def _close(self) -> None:
        self.near.close()


class TCPCarrier(Carrier):
    """
    A whole TCP connection as one exchange.
    """

    def __init__(self, client: Client, brokerage: Brokerage, route: str) -> None:
        super().__init__(client, brokerage, route, KIND_TCP, False)

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


class HTTPCarrier(Carrier):
    """
    One HTTP request with its response.

    @ivar head: the head of the request.
    """

    def __init__(
        self,
        client: Client,
        brokerage: Brokerage,
        route: str,
        head: RequestHead,
        request_id: bytes,
    ) -> None:
        super().__init__(client, brokerage, route, KIND_HTTP, head.idempotent)
        self.head = head
        self._request_id = request_id
        self._inbox = b""
        self._body: Any = None
        self._response: ResponseHead | None = None
        self._keep_client = head.keep_alive

    def _first(self) -> bytes:
        head = renderRequest(
            self.head,
            client=self.near.address.encode("ascii"),
            proto=b"http",
            via=VIA,
            request_id=self._request_id,
        )
        copy = self.exchange.copy
        return b"".join((head, *copy)) if copy else head

    def requestComplete(self) -> None:
        """
        The request is whole.
        """
        self.exchange.complete = True

    def badRequest(self, status: int, text: str) -> None:
        """
        The request's body can't be passed on.
        """
        self._keep_client = False
        self._failure = (status, text, None)
        self._perform(Input.BAD_REQUEST)

    def clientEnded(self) -> None:
        """
        The client half-closed.  With its whole request sent and matched it
        still gets its answer; a held one is gone.
        """
        exchange = self.exchange
        if exchange.progress == Progress.TUNNEL:
            self.ended(self.near)
        elif not exchange.complete or exchange.progress == Progress.HELD:
            self.hangup()

    def silent(self) -> None:
        """
        The app takes too long for its response.
        """
        if self.exchange.progress == Progress.RUNNING:
            self._failure = (504, "the app did not answer in time", None)
            self._perform(Input.SILENT)

    # From the slot

    def accepted(self) -> None:
        """
        The app is there, and gets the request.
        """
        self._perform(Input.ACCEPTED)
        if self._brokerage.responses is not None:
            self._brokerage.responses.start(self)
        if not self.exchange.complete:
            self.near.accepted()

    def data(self, source: object, data: bytes) -> None:
        """
        Bytes of the response.
        """
        progress = self.exchange.progress
        if progress == Progress.ANSWERING:
            self._passBody(data, b"")
        elif progress == Progress.TUNNEL:
            self.near.write(data)
        else:
            self._readHead(self._inbox + data if self._inbox else data)

    def ended(self, source: object) -> None:
        """
        An end will send nothing more.  From the app that is the end of a
        response only where nothing else marks it.
        """
        exchange = self.exchange
        if exchange.progress == Progress.TUNNEL:
            super().ended(source)
        elif exchange.progress == Progress.ANSWERING and self._delimitedByClose():
            self._whole(b"")
        else:
            far, self.far = self.far, None
            if far is not None:
                far.done(False)
            self._lost("the app closed before its response was complete")

    def _delimitedByClose(self) -> bool:
        return self._response is not None and self._response.length == UNTIL_CLOSE

    def _readHead(self, data: bytes) -> None:
        while True:
            try:
                parsed = responseHead(data, self.head.method)
                if parsed is not None:
                    self._check(parsed[0])
            except BadResponse as error:
                self._badResponse(str(error))
                return
            if parsed is None:
                self._inbox = data
                return
            self._response, taken = parsed
            data = data[taken:]
            if self._response.status >= 200 or self._response.status == 101:
                break
            self._perform(Input.INTERIM)
        self._inbox = data
        if self._brokerage.responses is not None:
            self._brokerage.responses.stop(self)
        self._perform(Input.SWITCHED if self._response.status == 101 else Input.HEAD)

    def _check(self, head: ResponseHead) -> None:
        if head.status == 101:
            if not self.head.upgrade:
                raise BadResponse("the app switched protocols unasked")
        elif head.status < 200 and not self.exchange.interim():
            raise BadResponse("the app sends informational responses without end")

    def _badResponse(self, reason: str) -> None:
        self._failure = (502, "the app's response can't be passed on", None)
        self._brokerage.badResponse(self.exchange.route, reason)
        self._perform(Input.BAD_RESPONSE)

    def _passBody(self, data: bytes, head: bytes) -> None:
        body = self._body
        try:
            out, rest = body.feed(data)
        except BadResponse as error:
            if head:
                self.near.write(head)
            self._badResponse(str(error))
            return
        if head or out:
            self.near.write(head + out if head else out)
        if body.done:
            self._whole(rest)

    def _whole(self, rest: bytes) -> None:
        response = self._response
        assert response is not None, "a response ended that never began"
        complete = self.exchange.complete
        # Bytes nobody asked for would be taken for the next response.
        self._keep_app = response.keep_alive and complete and not rest
        self._perform(Input.WHOLE if complete else Input.WHOLE_EARLY)

    # Actions

    def _passInterim(self) -> None:
        response = self._response
        if response is not None and self.head.http11:
            self.near.write(renderResponse(response, http11_client=True, keep_alive=True, via=VIA))

    def _answer(self) -> None:
        response = self._response
        assert response is not None, "answering without a response"
        self.exchange.forget()
        http11 = self.head.http11
        decode = response.length == CHUNKED and not http11
        if decode or response.length == UNTIL_CLOSE or self._brokerage.leaving:
            self._keep_client = False
        head = renderResponse(
            response, http11_client=http11, keep_alive=self._keep_client, via=VIA
        )
        data, self._inbox = self._inbox, b""
        if response.status == 101:
            self.near.write(head + data)
            self.near.accepted()
            return
        self._body = framingFor(response.length, decode=decode, error=BadResponse)
        self._passBody(data, head)

    def _next(self) -> None:
        self.near.next(self._keep_client)


# The method for each action, in the order of Action.
_METHODS = (
    "_send",
    "_requeue",
    "_withdraw",
    "_passInterim",
    "_answer",
    "_fail",
    "_cut",
    "_release",
    "_reset",
    "_next",
    "_linger",
    "_close",
)
