"""
What an exchange needs of its client, of its slot, and of what brings the two together.
"""

from __future__ import annotations

from typing import Any, Protocol

from brxy.edge.events import Events
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange
from brxy.edge.records.records import Records
from brxy.http.messages import ResponseHead
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.instance import Instance
from brxy.transport.relay import End, Relay

__all__ = ["Client", "Dispatcher", "HTTPClientEnd", "SlotEnd"]


class SlotEnd(End, Protocol):
    """
    A slot as a carrier uses it: an end on which exchanges are opened.

    @ivar instance: the instance behind it.
    @ivar wants_client: whether OPEN must name the client of each exchange.
    """

    instance: Instance
    wants_client: bool

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.

        @param relay: receives what comes of it.
        @param kind: L{brxy.wire.frames.KIND_HTTP} or L{brxy.wire.frames.KIND_TCP}.
        @param once: the exchange can't be offered again if it is lost.
        @param client: the client's L{Client.endpoints}, if C{wants_client}.
        @param first: the first bytes for the app.
        """

    def done(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the app's connection can serve the next exchange.
        """

    def roundTrip(self) -> float:
        """
        @return: how long a byte takes to the instance and an answer back (seconds).
        """

    def recall(self) -> None:
        """
        Take the exchange back, unless the app has taken it up: then
        L{Relay.refused<brxy.transport.relay.Relay.refused>} follows, at once or later.
        """


class Client(End, Protocol):
    """
    A client's side of one exchange, as a carrier uses it.

    @ivar client: the address of the client as text; C{""} if it has none.
    @ivar encrypted: its connection to the edge is encrypted.
    @ivar endpoints: both ends of its connection, see
        L{brxy.edge.clients.peer.endpointsText}.
    """

    client: str

    @property
    def encrypted(self) -> bool: ...

    @property
    def endpoints(self) -> str: ...

    def accepted(self) -> None:
        """
        An instance has accepted the exchange: there is room for more of the request.
        """

    def fail(self, refusal: Refusal) -> None:
        """
        The exchange is over without a response from an app.
        """

    def next(self) -> None:
        """
        The exchange is over, and both sides are complete.
        """

    def linger(self) -> None:
        """
        The exchange is over: send what is written, and discard what still comes.
        """

    def close(self) -> None:
        """
        The client has gone.
        """


class HTTPClientEnd(Client, Protocol):
    """
    The client's side of one HTTP request, whatever version of HTTP the client speaks.

    What is written to it is the body of the response, or bytes of a tunnel.

    @ivar scheme: C{b"https"} or C{b"http"}: by which the client connected.
    @ivar is_trusted: it is a proxy that is trusted to describe its clients.
    @ivar forwarded: the field lines that describe the client to an app, see
        L{brxy.http.render.forwardedLines}.
    @ivar chunked: the client takes a chunked body as it is; else only the contents of
        the chunks are written.
    @ivar serves_half_closed: a client that half-closes after its request still gets its
        answer; else it has gone.
    """

    scheme: bytes
    is_trusted: bool
    forwarded: bytes
    serves_half_closed: bool

    @property
    def chunked(self) -> bool: ...

    def hasLeft(self) -> bool:
        """
        @return: whether the client has closed or half-closed, even if its end is not read
            yet.
        """

    def interim(self, head: ResponseHead) -> None:
        """
        The app has sent an informational response.
        """

    def answer(self, head: ResponseHead, first: bytes, added: bytes = b"") -> None:
        """
        The app has sent the head of its response.

        @param first: the first bytes of its body, or of the tunnel.
        @param added: field lines of the edge's own.
        """

    def fail(self, refusal: Refusal, added: bytes = b"") -> None:
        """
        The exchange is over without a response from an app.

        @param added: see L{answer}.
        """


class Dispatcher(Protocol):
    """
    What brings exchanges and slots together, as clients and carriers use it.

    @ivar retries: how many times an exchange that was lost is offered again.
    @ivar leaving: the edge is stopping: no client keeps its connection.
    @ivar handed_over: another edge takes new exchanges, also of clients whose response said that
        the connection is kept.
    @ivar responses: the exchanges that wait for the head of their response; L{None}
        without a limit on that time.
    @ivar events: receives the events of exchanges.
    @ivar buffer: the bodies of requests that are collected before these wait for a slot.
    @ivar records: says whether exchanges are recorded, and gets the records.
    """

    @property
    def retries(self) -> int: ...

    @property
    def leaving(self) -> bool: ...

    @property
    def handed_over(self) -> bool: ...

    @property
    def responses(self) -> Deadlines[Any] | None: ...

    @property
    def events(self) -> Events: ...

    @property
    def buffer(self) -> RequestBuffer: ...

    @property
    def records(self) -> Records: ...

    def wait(self, exchange: Exchange) -> None:
        """
        An exchange needs a slot: it is matched now, or held, or rejected.
        """

    def requeue(self, exchange: Exchange) -> None:
        """
        An exchange was refused or lost, and is offered again.
        """

    def taken(self, exchange: Exchange) -> None:
        """
        The app has taken up an exchange that was a probe.
        """

    def cancel(self, exchange: Exchange) -> None:
        """
        An exchange that is held or probed needs no slot any more.
        """

    def lost(self, exchange: Exchange, reason: str) -> None:
        """
        The slot or the app broke an exchange off, and it can't be offered again.

        @param reason: one line for the log.
        """

    def answered(self, instance: Instance) -> None:
        """
        An instance has served its first complete exchange.
        """

    def drain(self) -> None:
        """
        The current event is over: offer the free slots to the exchanges that wait.
        """
