"""
What the edge knows of one exchange.
"""

from __future__ import annotations

from attrs import define

from brxy.http.messages import RequestHead
from brxy.http.tracecontext import Parent
from brxy.scaler.instance import Instance

__all__ = [
    "CLIENT_CLOSED",
    "CLIENT_GONE",
    "COLD",
    "FULL",
    "LOST",
    "QUEUED",
    "REFUSED",
    "TRACE_ID",
    "WARM",
    "Record",
]

#: The values of L{Record.start}.
WARM, QUEUED, COLD = "warm", "queued", "cold"

#: Members of L{Record.fates}: nothing had reached the app; the app did not take it up in time,
#: and is full; the app, its node or the connection to it broke off.
REFUSED, FULL, LOST = "refused", "full", "lost"

#: L{Record.error} for a client that left before its response was complete.
CLIENT_GONE = "client_gone"

#: Where the id of the trace is in L{Record.trace}.
TRACE_ID = slice(18, 50)
_SPAN = slice(51, 67)
_OTHER = 0x5555_5555_5555_5555

#: L{Record.status} for one that left before its response began.  No such status is ever sent;
#: log readers know it from nginx.
CLIENT_CLOSED = 499


@define(eq=False)
class Record:
    """
    One exchange: an HTTP request with its response, or a TCP connection.  It is complete when
    an observer gets it, and does not change from then on.

    All times are those of the reactor's clock.

    @ivar route: the route of its app; C{""} if it has none.
    @ivar head: the request; L{None} for a TCP connection, or without a valid head.
    @ivar client: the address of the client; C{""} if it has none.
    @ivar scheme: C{"http"}, C{"https"}, C{"tcp"} or C{"tls"}.
    @ivar arrived: when its head was complete, or its connection open.
    @ivar request_id: its X-Request-ID; C{b""} if it has none.
    @ivar status: of the response, or L{CLIENT_CLOSED}; 0 for a TCP connection.
    @ivar bytes_in: bytes of the request's body, or all that the client of a tunnel sent.
    @ivar bytes_out: bytes of the response's body, as the app framed it, or all that the app
        of a tunnel sent.
    @ivar held_at: when it was first held; L{None} if it never was.
    @ivar cold: its route had no ready instance then.
    @ivar matched: when it was last given to a slot; L{None} if it never was.
    @ivar first_byte: when the head of the response had come, or the first byte of a TCP
        connection; L{None} if none has.
    @ivar ended: when it was over.
    @ivar offers: how many times it was given to a slot.
    @ivar fates: what became of those offers that the app did not serve, in their order:
        L{REFUSED}, L{FULL} or L{LOST}.
    @ivar instance: the last that it was given to.  Its ticket, spawn, generation and times
        do not change any more.
    @ivar error: why it failed, in one line, or L{CLIENT_GONE}; C{""} if it did not.
    @ivar trace: the field lines by which its app continues its trace, see
        L{brxy.edge.records.records.Tracer}; C{b""} if it has no trace.
    @ivar sampled: its trace is exported; before it has ended: whatever becomes of it.
    @ivar parent: the span of its client; L{None} if it has none.
    """

    route: str
    head: RequestHead | None
    client: str
    scheme: str
    arrived: float
    request_id: bytes = b""
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    held_at: float | None = None
    cold: bool = False
    matched: float | None = None
    first_byte: float | None = None
    ended: float = 0.0
    offers: int = 0
    instance: Instance | None = None
    error: str = ""
    trace: bytes = b""
    sampled: bool = False
    parent: Parent | None = None
    fates: tuple[str, ...] = ()

    # What it says besides

    @property
    def start(self) -> str:
        """
        L{COLD} if it was held while its route had no ready instance, L{QUEUED} if it was
        held while an instance was ready, L{WARM} if it was not held.
        """
        if self.held_at is None:
            return WARM
        return COLD if self.cold else QUEUED

    @property
    def hold(self) -> float:
        """
        The seconds for which it was held.
        """
        if self.held_at is None:
            return 0.0
        return max(0.0, (self.ended if self.matched is None else self.matched) - self.held_at)

    @property
    def order(self) -> float | None:
        """
        Of a cold start: the seconds from the beginning of the hold until the instance was
        ordered; 0 if that was before.
        """
        if not self.cold or self.held_at is None or self.instance is None:
            return None
        return max(0.0, self.instance.ordered_at - self.held_at)

    @property
    def boot(self) -> float | None:
        """
        Of a cold start: the seconds from the order of the instance until it was ready.
        """
        instance = self.instance
        if not self.cold or instance is None or instance.ready_since is None:
            return None
        return max(0.0, instance.ready_since - instance.ordered_at)

    @property
    def app(self) -> float | None:
        """
        The seconds that the app took until its response began.
        """
        if self.matched is None or self.first_byte is None:
            return None
        return max(0.0, self.first_byte - self.matched)

    @property
    def method(self) -> str:
        """
        The method of the request; C{""} without a request.
        """
        return "" if self.head is None else self.head.method.decode("latin-1")

    @property
    def path(self) -> str:
        """
        The target of the request: a path with its query, or C{*}.
        """
        return "" if self.head is None else self.head.target.decode("latin-1")

    @property
    def host(self) -> str:
        """
        The host that the request names, with its port if that is in it.
        """
        return "" if self.head is None else self.head.authority.decode("latin-1")

    @property
    def version(self) -> str:
        """
        The version of HTTP: C{"1.1"}, C{"1.0"}, or C{""} without a request.
        """
        if self.head is None:
            return ""
        return "1.1" if self.head.http11 else "1.0"

    @property
    def trace_id(self) -> str:
        """
        The id of its trace; C{""} if it has none.
        """
        return self.trace[TRACE_ID].decode("ascii")

    @property
    def span_id(self) -> str:
        """
        The id of the edge's own span in that trace; C{""} if it has none.
        """
        # There is no need for a second number that is random.
        return f"{int(self.trace[_SPAN], 16) ^ _OTHER:016x}" if self.trace else ""

    @property
    def app_span_id(self) -> str:
        """
        The id of the span that its app continues; C{""} if it has none.
        """
        return self.trace[_SPAN].decode("ascii")

    @property
    def tls(self) -> bool:
        """
        Whether the client's connection is encrypted, as far as the edge knows.
        """
        return self.scheme in ("https", "tls")

    @property
    def ticket(self) -> str:
        """
        The ticket of the instance; C{""} without one.
        """
        return "" if self.instance is None else self.instance.ticket

    @property
    def spawn(self) -> str | None:
        """
        The name of the spawn of the instance; L{None} without one.
        """
        return None if self.instance is None else self.instance.spawn

    @property
    def generation(self) -> int:
        """
        The generation of the instance; 0 without one.
        """
        return 0 if self.instance is None else self.instance.generation
