"""
The fuzz targets: for each the properties that must hold for any bytes, and
inputs to begin with.

To add one, write a function that takes bytes and raises C{AssertionError} for
a bug, and add it to L{TARGETS}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import astuple, frozen

from brxy.errors import BadHello, SlotProtocolError
from brxy.http.body import framingFor
from brxy.http.chunks import MAX_SIZE_LINE, MAX_TRAILERS
from brxy.http.fields import MAX_FIELDS, isPrivate, valuesOf
from brxy.http.forwarding import MAX_HOPS, forwarded
from brxy.http.messages import (
    CHUNKED,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    forwardedLines,
    renderOldRequest,
    renderRequest,
    renderResponse,
    requestHead,
    responseHead,
    withForwardedHost,
)
from brxy.test.http.test_requestparsers import DifferentialTests
from brxy.test.http.test_responseparsers import compareResponse
from brxy.test.wire.test_frames import joined
from brxy.values.networks import Networks
from brxy.wire import frames as wire
from brxy.wire import greeting
from brxy.wire.clienthello import ClientHelloReader
from brxy.wire.proxyheader import VERSIONS, endpointsFromText, proxyHeader, readProxyHeader
from fuzz import seeds
from fuzz.incremental import checkPrefixes, feed, waysToCut

__all__ = ["TARGETS", "Target"]

_TRUSTED: Final = Networks(["10.0.0.0/8"])
_VIA: Final = b"1.1 brxy"
_DATE: Final = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
# The route of a request without Host.
_ROUTE: Final = "route.example"

# Fields that a client must not hide from brxy, but not from an app, by an underscore.
_FRAMING: Final = frozenset((b"content-length", b"expect", b"host", b"transfer-encoding", b"via"))

# The number of fields that an app gets in addition to those that a client has sent.
_ADDED: Final = 5

# Methods that Max-Forwards limits (RFC 9110 §7.6.2).
_LIMITED: Final = frozenset((b"OPTIONS", b"TRACE"))

# Compares brxy's reading of a request with that of two other parsers.
_others = DifferentialTests("check")


@frozen
class Target:
    """
    One fuzz target.

    @ivar check: fails for bytes that show a bug.
    @ivar seeds: the inputs to begin with, besides its corpus.
    @ivar longest: the maximum size of an input in bytes.
    @ivar words: tokens that are useful in an input.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int = 1024
    words: Iterable[bytes] = ()


# Frames of the slot protocol


def checkWire(data: bytes) -> None:
    """
    Check frames, in pieces whose size is the first byte.
    """
    size, data = data[0] + 1 if data else 1, data[1:]
    whole = _frames([data])
    for parts in waysToCut(data, size):
        assert _frames(parts) == whole, (parts, whole)
    if whole is not None:
        again = b"".join(wire.frame(*each) for each in whole)
        # Parts of a long DATA are returned as they arrive, and several may have been joined.
        if all(kind != wire.DATA for kind, _, _ in whole):
            assert data.startswith(again)
            assert len(data) - len(again) <= wire.MAX_DATA + 4
        for kind, number, payload in whole:
            _checkPayload(kind, number, payload)


def _frames(parts: Iterable[bytes]) -> list[tuple[int, int, bytes]] | None:
    decoder = wire.Decoder()
    try:
        return joined([each for part in parts for each in decoder.feed(part)])
    except SlotProtocolError as error:
        assert str(error).isprintable()
        return None


def _checkPayload(kind: int, number: int, payload: bytes) -> None:
    assert wire.reasonText(payload).isprintable()
    try:
        if kind == wire.OPEN:
            opening = greeting.Open.decode(payload)
            assert opening.encode(number) == wire.frame(kind, number, payload)
            endpointsFromText(opening.client)
        elif kind in (wire.HELLO, wire.WELCOME):
            cls = greeting.Hello if kind == wire.HELLO else greeting.Welcome
            said = cls.decode(payload)
            assert cls.decode(said.encode()[4:]) == said
    except SlotProtocolError as error:
        assert str(error).isprintable()


# Heads of requests


def checkRequest(data: bytes) -> None:
    """
    Check a request's head: as other parsers read it, and as it is passed on to
    an app.
    """
    parsed = checkPrefixes(_readRequest, data)
    _others.check(data)
    # brxy adds some fields to the allowed number.
    if parsed is not None and len(parsed[0][4]) <= MAX_FIELDS - _ADDED:
        head, _ = requestHead(data) or parsed
        if head.method in _LIMITED and valuesOf(head.fields, b"max-forwards"):
            return  # Max-Forwards may let it go no further than to the app.
        told = forwarded(head.fields, "10.0.0.1", b"http", _TRUSTED)
        _checkPassed(head, head, b"192.0.2.1", b"http", head.authority)
        host = told.host or head.authority
        changed = withForwardedHost(head, host) if head.authority else head
        _checkPassed(head, changed, told.chain, told.proto, host)


def _readRequest(data: bytes) -> tuple[object, int] | None:
    parsed = requestHead(data)
    return None if parsed is None else (astuple(parsed[0], recurse=False), parsed[1])


def _checkPassed(
    head: RequestHead, sent: RequestHead, chain: bytes, proto: bytes, host: bytes
) -> None:
    lines = forwardedLines(chain, proto, _VIA)
    if head.http11:
        rendered = renderRequest(sent, lines, b"made")
    else:
        rendered = renderOldRequest(sent, lines, b"made", _ROUTE)
    parsed = requestHead(rendered)
    assert parsed is not None and parsed[1] == len(rendered), rendered
    again = parsed[0]
    for name in ("method", "target", "length", "upgrade"):
        assert getattr(again, name) == getattr(head, name), (name, rendered)
    named = (head.host, head.authority) if head.authority else (_ROUTE, _ROUTE.encode())
    assert (again.host, again.authority) == named, rendered
    assert again.http11, rendered
    assert head.http11 or not again.expect_continue, rendered
    assert again.request_id == (head.request_id or b"made")
    values: dict[bytes, list[bytes]] = {}
    for lower, _, value in again.fields:
        assert b"_" not in lower or lower.replace(b"_", b"-") not in _FRAMING, rendered
        values.setdefault(lower.replace(b"_", b"-"), []).append(value)
    assert values[b"x-forwarded-for"] == [chain]
    assert values[b"x-forwarded-proto"] == [proto]
    assert values.get(b"x-forwarded-host", [b""]) == [host if head.authority else b""]
    ours = {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-request-id"}
    ours |= {b"upgrade", b"connection"} if head.upgrade else {b"te", b"connection"}
    assert not [each for each in values if isPrivate(each) and each not in ours], rendered


# Heads of responses


def checkResponse(data: bytes) -> None:
    """
    Check a response's head, to the method that the first byte selects: as
    other parsers read it, and as it is passed on to clients.
    """
    method = b"HEAD" if data[:1] == b"H" else b"GET"
    data = data[1:]
    parsed = checkPrefixes(lambda part: _readResponse(part, method), data)
    if parsed is None:
        return
    found = responseHead(data, method)
    assert found is not None
    head, taken = found
    compareResponse(head, data[:taken], method)
    for http11 in (True, False):
        for keep_alive in (True, False):
            rendered = renderResponse(head, http11, keep_alive, _VIA, lambda: _DATE)
            if rendered or http11 or head.status >= 200:
                _checkRendered(head, rendered, method, http11)


def _readResponse(data: bytes, method: bytes) -> tuple[object, int] | None:
    parsed = responseHead(data, method)
    if parsed is None:
        return None
    # The text that a head was rendered as is kept with it.
    values = astuple(parsed[0], recurse=False, filter=lambda field, _: field.name != "usual")
    return values, parsed[1]


def _checkRendered(head: ResponseHead, rendered: bytes, method: bytes, http11: bool) -> None:
    parsed = responseHead(rendered, method)
    assert parsed is not None and parsed[1] == len(rendered), rendered
    again = parsed[0]
    assert (again.status, again.reason) == (head.status, head.reason)
    assert again.upgrade == head.upgrade
    length = UNTIL_CLOSE if head.length == CHUNKED and not http11 else head.length
    if head.status >= 200 and head.status != 204:
        assert again.length == length, rendered
    assert again.length != UNTIL_CLOSE or head.status < 200 or not again.keep_alive, rendered


# Chunked bodies


def checkChunks(data: bytes) -> None:
    """
    Check a chunked body, in pieces whose size is the first byte.
    """
    size, data = data[0] + 1 if data else 1, data[1:]
    kept = MAX_SIZE_LINE + MAX_TRAILERS
    passed = feed(framingFor(CHUNKED), [data], kept)
    content = feed(framingFor(CHUNKED, decode=True), [data])
    for parts in waysToCut(data, size):
        assert feed(framingFor(CHUNKED), parts, kept) == passed, (parts, passed)
        assert feed(framingFor(CHUNKED, decode=True), parts) == content, (parts, content)
    assert (passed is None) == (content is None)
    if passed is not None and content is not None:
        assert passed[1:] == content[1:]
        # The bytes that were passed on mean the same to their receiver.
        again = feed(framingFor(CHUNKED, decode=True), [passed[0]])
        assert again == (content[0], b"", content[2]), (again, content)
    _others.check(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)


# The first message of TLS


def checkHello(data: bytes) -> None:
    """
    Check the first bytes of a TLS client, in pieces whose size is the first
    byte.
    """
    size, data = data[0] + 1 if data else 1, data[1:]
    whole = _nameAskedFor([data])
    for parts in waysToCut(data, size):
        assert _nameAskedFor(parts) == whole, (parts, whole)


def _nameAskedFor(parts: Iterable[bytes]) -> str | None:
    """
    @return: C{refused} in capitals for bytes that are no hello; it is not a
        valid name.
    """
    reader = ClientHelloReader()
    try:
        return next((name for part in parts if (name := reader.feed(part)) is not None), None)
    except BadHello:
        return "REFUSED"


# What proxies send about clients


def checkProxy(data: bytes) -> None:
    """
    Check PROXY headers.
    """
    parsed = checkPrefixes(readProxyHeader, data)
    if parsed is not None and parsed[0] is not None:
        endpoints = parsed[0]
        for version in VERSIONS:
            header = proxyHeader(version, endpoints)
            assert readProxyHeader(header) == (endpoints, len(header))
        assert endpointsFromText(str(endpoints)) == endpoints
        # The text is passed on in the head of a request, and in a frame.
        assert str(endpoints).isascii() and str(endpoints).isprintable()


def checkForwarded(data: bytes) -> None:
    """
    Check X-Forwarded-For, with one field in each line.
    """
    fields = [(b"x-forwarded-for", b"", line) for line in data.split(b"\n")]
    told = forwarded(fields, "10.0.0.1", b"http", _TRUSTED)
    members = told.chain.split(b", ")
    assert all(each and set(each) <= set(b"0123456789abcdef.:") for each in members), told
    assert told.client.encode() in members
    # The peer is added to at most this many entries that are read.
    assert len(members) <= MAX_HOPS + 1, told
    again = forwarded([(b"x-forwarded-for", b"", told.chain)], "", b"http", _TRUSTED)
    assert again.chain == b", ".join(members[-MAX_HOPS:]), (told, again)
    if len(members) <= MAX_HOPS:
        assert again.client == told.client, (told, again)


TARGETS: Final = {
    "wire": Target(checkWire, seeds.frames, 4096, seeds.FRAME_WORDS),
    "request": Target(checkRequest, seeds.requests, 2048, seeds.HTTP_WORDS),
    "response": Target(checkResponse, seeds.responses, 2048, seeds.HTTP_WORDS),
    "chunks": Target(checkChunks, seeds.chunks, 1024, seeds.HTTP_WORDS),
    "hello": Target(checkHello, seeds.hellos, 1024, seeds.HELLO_WORDS),
    "proxy": Target(checkProxy, seeds.proxyHeaders, 512, seeds.PROXY_WORDS),
    "forwarded": Target(checkForwarded, seeds.forwardedFor, 512, seeds.FORWARDED_WORDS),
}
