"""
The spans of one exchange, as JSON of OTLP 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import getrandbits
from typing import Any

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
    at: Span, name: str, kind: int, begin: float, end: float, parent_id: str = ""
) -> dict[str, Any]:
    """
    @param begin: seconds since 1970.
    @param end: likewise.
    """
    found: dict[str, Any] = {
        "traceId": at.trace_id,
        "spanId": at.span_id,
        "flags": _LOCAL_PARENT,
        "name": name,
        "kind": kind,
        # As text, as all numbers of 64 bits in the JSON of protobuf.
        "startTimeUnixNano": str(int(begin * 1e9)),
        "endTimeUnixNano": str(int(max(begin, end) * 1e9)),
    }
    if parent_id:
        found["parentSpanId"] = parent_id
    return found


# One for all: dumps() would make another for each span.
_rendered = json.JSONEncoder(separators=(",", ":")).encode


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
        parent = record.parent
        self._state = parent.state.decode("ascii") if parent is not None else ""

    def spans(self) -> list[str]:
        record = self._record
        found = [self._edge()]
        if record.held_at is not None:
            found += self._hold(record.held_at)
        if record.matched is not None:
            found.append(self._app(record.matched))
        return [_rendered(each) for each in found]

    def _span(
        self, name: str, kind: int, span_id: str, parent_id: str, begin: float, end: float
    ) -> dict[str, Any]:
        at, epoch = Span(self._trace_id, span_id), self._epoch
        found = _span(at, name, kind, epoch + begin, epoch + end, parent_id)
        if self._state:
            found["traceState"] = self._state
        return found

    def _edge(self) -> dict[str, Any]:
        record, parent = self._record, self._record.parent
        above = "" if parent is None else parent.span_id.decode("ascii")
        span = self._span("brxy", _SERVER, record.span_id, above, record.arrived, record.ended)
        if parent is not None:
            span["flags"] = _REMOTE_PARENT
        attributes: dict[str, str | int] = {
            "brxy.route": record.route,
            "brxy.start": record.start,
            "brxy.offers": record.offers,
            "brxy.bytes_in": record.bytes_in,
            "brxy.bytes_out": record.bytes_out,
            **_request(record),
            **_instance(record),
        }
        if record.error:
            attributes["brxy.error"] = record.error
        return self._completed(span, attributes, isFailure(record))

    def _hold(self, held_at: float) -> list[dict[str, Any]]:
        record, span_id = self._record, newSpanId()
        until = record.ended if record.matched is None else record.matched
        hold = self._span("brxy.hold", _INTERNAL, span_id, record.span_id, held_at, until)
        failed = record.matched is None and isFailure(record)
        self._completed(hold, {"brxy.start": record.start}, failed)
        instance = record.instance
        ready_at = None if instance is None else instance.ready_since
        if not record.cold or instance is None or ready_at is None or ready_at < held_at:
            # It did not wait for the start of this instance.
            return [hold]
        start = self._starts.find(instance.ticket)
        if start is not None:
            hold["links"] = [{"traceId": start.trace_id, "spanId": start.span_id}]
            return [hold]
        start = Span(self._trace_id, newSpanId())
        self._starts.add(instance.ticket, start)
        times = (instance.ordered_at, ready_at)
        span = self._span("brxy.start", _INTERNAL, start.span_id, span_id, *times)
        return [hold, self._completed(span, {"brxy.route": record.route, **_instance(record)})]

    def _app(self, matched: float) -> dict[str, Any]:
        record = self._record
        span_id = record.app_span_id
        span = self._span("brxy.app", _CLIENT, span_id, record.span_id, matched, record.ended)
        attributes = {**_instance(record)}
        if record.head is not None:
            attributes["http.request.method"] = _method(record.method)
            if record.first_byte is not None:
                attributes["http.response.status_code"] = record.status
        return self._completed(span, attributes, isFailure(record))

    def _completed(
        self, span: dict[str, Any], attributes: Mapping[str, str | int], failed: bool = False
    ) -> dict[str, Any]:
        """
        Add the attributes, and whether the exchange has failed.
        """
        record = self._record
        if failed:
            kind = str(record.status) if record.status >= _SERVER_ERROR else "broken_off"
            attributes = {**attributes, "error.type": kind}
            span["status"] = {"code": _ERROR, "message": record.error}
        span["attributes"] = _attributes(attributes)
        return span


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


def _attributes(values: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: str | int) -> dict[str, str]:
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value[:_LONGEST]}


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
    span = _span(
        Span(f"{getrandbits(128):032x}", newSpanId()), "brxy.start", _INTERNAL, begin, end
    )
    values = {"brxy.route": route, "brxy.instance": ticket, "error.type": "start_failed"}
    span["attributes"] = _attributes(values)
    span["status"] = {"code": _ERROR, "message": reason[:_LONGEST]}
    return _rendered(span)


def envelope(resource: Mapping[str, str], version: str) -> tuple[str, str]:
    """
    What stands before and behind the spans in a request to a collector.

    @param resource: the attributes of this edge.
    @param version: of brxy.
    """
    attributes = _attributes({**resource, "service.version": version})
    scope = {"name": "brxy", "version": version}
    before = (
        f'{{"resourceSpans":[{{"resource":{json.dumps({"attributes": attributes})},'
        f'"scopeSpans":[{{"scope":{json.dumps(scope)},"spans":['
    )
    return before, "]}]}]}"
