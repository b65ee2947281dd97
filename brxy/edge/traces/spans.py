"""
The spans of one exchange, as JSON of OTLP 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from random import getrandbits

from attrs import frozen

from brxy.edge.records.record import Record
from brxy.edge.traces.tracer import isFailure

__all__ = ["Span", "Starts", "envelope", "failedStart", "spansOf"]

# SpanKind and StatusCode of OTLP.
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
_ERROR = 2

# The flags of a span: bit 8 says that bit 9 is known, which says that the parent is remote.
_LOCAL_PARENT, _REMOTE_PARENT = 0x101, 0x301

# What clients send is cut to this number of characters.
_LONGEST = 1024

# Those of OpenTelemetry's semantic conventions.
_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)

# Of the starts that spans may be linked to.
_MOST_STARTS = 10_000

_SERVER_ERROR = 500

_quoted: Callable[[str], str] = encode_basestring_ascii


@frozen
class Span:
    """
    Where a span is: the ids of its trace and its own.
    """

    trace_id: str
    span_id: str


class Starts:
    """
    The spans of the starts of instances.  A start has one span, in the trace of the cold start
    that ended first; those of the others are linked to it.
    """

    def __init__(self) -> None:
        self._spans: dict[str, Span] = {}

    def find(self, ticket: str) -> Span | None:
        """
        @return: the span of the start of an instance; L{None} if it has none yet.
        """
        return self._spans.get(ticket)

    def add(self, ticket: str, span: Span) -> None:
        """
        The start of an instance has a span.
        """
        if len(self._spans) >= _MOST_STARTS:
            del self._spans[next(iter(self._spans))]
        self._spans[ticket] = span


def newSpanId() -> str:
    """
    An id for a span.
    """
    return f"{getrandbits(64):016x}"


def _span(
    at: Span,
    name: str,
    kind: int,
    times: tuple[float, float],
    attributes: Mapping[str, str | int],
    *,
    parent_id: str = "",
    flags: int = _LOCAL_PARENT,
    more: str = "",
) -> str:
    """
    @param times: of its begin and its end, in seconds since 1970.
    @param more: members of the JSON object, with a comma before each.
    """
    begin, end = times
    above = f'"parentSpanId":"{parent_id}",' if parent_id else ""
    # Numbers of 64 bits are text in the JSON of protobuf.
    return (
        f'{{"traceId":"{at.trace_id}","spanId":"{at.span_id}",{above}"flags":{flags},'
        f'"name":"{name}","kind":{kind},"startTimeUnixNano":"{int(begin * 1e9)}",'
        f'"endTimeUnixNano":"{int(max(begin, end) * 1e9)}",'
        f'"attributes":[{_attributes(attributes)}]{more}}}'
    )


def _failed(message: str) -> str:
    return f',"status":{{"code":{_ERROR},"message":{_quoted(message[:_LONGEST])}}}'


class _Making:
    """
    Makes the spans of one record.
    """

    def __init__(self, record: Record, epoch: float, starts: Starts) -> None:
        """
        @param epoch: what the reactor's time 0 is in seconds since 1970.
        """
        self._record = record
        self._epoch = epoch
        self._starts = starts
        self._trace_id = record.trace_id
        self._instance = _instance(record)
        parent = record.parent
        state = "" if parent is None else parent.state.decode("ascii")
        self._state = f',"traceState":{_quoted(state)}' if state else ""
        self._error: dict[str, str | int] = {}
        self._status = ""
        if isFailure(record):
            kind = str(record.status) if record.status >= _SERVER_ERROR else "broken_off"
            self._error = {"error.type": kind}
            self._status = _failed(record.error)

    def spans(self) -> list[str]:
        record = self._record
        found = [self._edge()]
        if record.held_at is not None:
            found += self._hold(record.held_at)
        if record.matched is not None:
            found.append(self._app(record.matched))
        return found

    def _at(self, span_id: str) -> Span:
        return Span(self._trace_id, span_id)

    def _times(self, begin: float, end: float) -> tuple[float, float]:
        return self._epoch + begin, self._epoch + end

    def _edge(self) -> str:
        record, parent = self._record, self._record.parent
        attributes: dict[str, str | int] = {
            "brxy.route": record.route,
            "brxy.start": record.start,
            "brxy.offers": record.offers,
            "brxy.bytes_in": record.bytes_in,
            "brxy.bytes_out": record.bytes_out,
            **_request(record),
            **self._instance,
            **self._error,
        }
        if record.error:
            attributes["brxy.error"] = record.error
        return _span(
            self._at(record.span_id),
            "brxy",
            _SERVER,
            self._times(record.arrived, record.ended),
            attributes,
            parent_id="" if parent is None else parent.span_id.decode("ascii"),
            flags=_LOCAL_PARENT if parent is None else _REMOTE_PARENT,
            more=self._state + self._status,
        )

    def _hold(self, held_at: float) -> list[str]:
        record, span_id = self._record, newSpanId()
        unmatched = record.matched is None
        until = record.ended if record.matched is None else record.matched
        begun, link = self._start(held_at, span_id)
        hold = _span(
            self._at(span_id),
            "brxy.hold",
            _INTERNAL,
            self._times(held_at, until),
            {"brxy.start": record.start, **(self._error if unmatched else {})},
            parent_id=record.span_id,
            more=self._state + link + (self._status if unmatched else ""),
        )
        return [hold, *begun]

    def _start(self, held_at: float, parent_id: str) -> tuple[list[str], str]:
        """
        @return: the span of the start that the exchange waited for, unless there is one; then
            the second is a link to it.
        """
        record, instance = self._record, self._record.instance
        ready_at = None if instance is None else instance.ready_since
        if not record.cold or instance is None or ready_at is None or ready_at < held_at:
            # It did not wait for the start of this instance.
            return [], ""
        start = self._starts.find(instance.ticket)
        if start is not None:
            link = f'"traceId":"{start.trace_id}","spanId":"{start.span_id}"'
            return [], f',"links":[{{{link}}}]'
        self._starts.add(instance.ticket, start := self._at(newSpanId()))
        span = _span(
            start,
            "brxy.start",
            _INTERNAL,
            self._times(instance.ordered_at, ready_at),
            {"brxy.route": record.route, **self._instance},
            parent_id=parent_id,
            more=self._state,
        )
        return [span], ""

    def _app(self, matched: float) -> str:
        record = self._record
        attributes = {**self._instance, **self._error}
        if record.head is not None:
            attributes["http.request.method"] = _method(record.method)
            if record.first_byte is not None:
                attributes["http.response.status_code"] = record.status
        return _span(
            self._at(record.app_span_id),
            "brxy.app",
            _CLIENT,
            self._times(matched, record.ended),
            attributes,
            parent_id=record.span_id,
            more=self._state + self._status,
        )


def _request(record: Record) -> dict[str, str | int]:
    """
    What the conventions name of a request, or of a TCP connection.
    """
    found: dict[str, str | int] = {}
    if record.client:
        found["client.address"] = record.client
    head = record.head
    if head is None:
        if not record.status:
            found["network.transport"] = "tcp"
        else:
            found["http.response.status_code"] = record.status
        return found
    host, port = _hostAndPort(record.host)
    found |= {
        "http.request.method": _method(record.method),
        "http.response.status_code": record.status,
        "network.protocol.name": "http",
        "network.protocol.version": record.version,
        "url.scheme": record.scheme,
        "url.path": record.path.partition("?")[0],
        "server.address": host,
        "brxy.request_id": record.request_id.decode("latin-1"),
    }
    if port:
        found["server.port"] = port
    if found["http.request.method"] == "_OTHER":
        found["http.request.method_original"] = record.method
    agent = next((value for lower, _, value in head.fields if lower == b"user-agent"), b"")
    if agent:
        found["user_agent.original"] = agent.decode("latin-1")
    return found


def _instance(record: Record) -> dict[str, str | int]:
    if record.instance is None:
        return {}
    found: dict[str, str | int] = {
        "brxy.instance": record.ticket,
        "brxy.generation": record.generation,
    }
    if record.spawn is not None:
        found["brxy.spawner"] = record.spawn
    return found


def _method(method: str) -> str:
    return method if method in _METHODS else "_OTHER"


def _hostAndPort(authority: str) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or not port.isdecimal():
        return authority.strip("[]"), 0
    return host.strip("[]"), int(port)


def _attributes(values: Mapping[str, str | int]) -> str:
    return ",".join([_attribute(key, value) for key, value in values.items()])


# Most of them come again.
@lru_cache(1024)
def _attribute(key: str, value: str | int) -> str:
    if isinstance(value, int):
        return f'{{"key":"{key}","value":{{"intValue":"{value}"}}}}'
    return f'{{"key":"{key}","value":{{"stringValue":{_quoted(value[:_LONGEST])}}}}}'


def spansOf(record: Record, epoch: float, starts: Starts) -> list[str]:
    """
    The spans of an exchange: of the edge, of the time for which it was held, of the start of
    its instance, and of its app.

    @param epoch: what the reactor's time 0 is in seconds since 1970.
    @param starts: where the span of the start is looked up, or added.
    """
    return _Making(record, epoch, starts).spans()


def failedStart(route: str, ticket: str, begin: float, end: float, reason: str) -> str:
    """
    The span of a start that failed, which is a trace of its own.

    @param begin: when the instance was ordered, in seconds since 1970.
    @param end: when it was given up, likewise.
    @param reason: why.
    """
    at = Span(f"{getrandbits(128):032x}", newSpanId())
    values = {"brxy.route": route, "brxy.instance": ticket, "error.type": "start_failed"}
    return _span(at, "brxy.start", _INTERNAL, (begin, end), values, more=_failed(reason))


def envelope(resource: Mapping[str, str], version: str) -> tuple[str, str]:
    """
    What stands before and behind the spans in a request to a collector.

    @param resource: the attributes of this edge.
    @param version: of brxy.
    """
    named = ",".join(
        f'{{"key":{_quoted(key)},"value":{{"stringValue":{_quoted(value)}}}}}'
        for key, value in {**resource, "service.version": version}.items()
    )
    return (
        f'{{"resourceSpans":[{{"resource":{{"attributes":[{named}]}},"scopeSpans":[{{'
        f'"scope":{{"name":"brxy","version":"{version}"}},"spans":[',
        "]}]}]}",
    )
