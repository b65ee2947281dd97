"""
The inputs that fuzzers begin with: the cases of the tests, and one of each
kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from brxy.http.messages import requestHead
from brxy.interfaces import Address
from brxy.test.support.memory.hostile import PASSES, REFUSED_BODIES, REFUSED_HEADS
from brxy.test.wire.test_clienthello import hello
from brxy.wire import frames as wire
from brxy.wire import greeting
from brxy.wire.proxyheader import VERSIONS, Endpoints, proxyHeader

__all__ = [
    "FORWARDED_WORDS",
    "FRAME_WORDS",
    "HELLO_WORDS",
    "HTTP_WORDS",
    "PROXY_WORDS",
    "chunks",
    "forwardedFor",
    "frames",
    "hellos",
    "proxyHeaders",
    "requests",
    "responses",
]

FRAME_WORDS = (
    b'"version":1',
    b'"token":"',
    b'"generation":',
    b"null",
    b"true",
    b"1e9",
    b"\\ud800",
)

FORWARDED_WORDS = (b"::ffff:", b"10.0.0.1", b"255.255.255.255", b"]:", b"%eth0", b", ", b"\n")

HELLO_WORDS = (b"\x16\x03\x01", b"\x01\x00", b"\x00\x00\x00", b"example.com")

HTTP_WORDS = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b" HTTP/1.0\r\n", b" HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n"),
    *(b"Host: ", b"Content-Length: ", b"Transfer-Encoding: ", b"chunked", b"gzip, "),
    *(b"Connection: ", b"close", b"keep-alive", b"Upgrade: ", b"websocket", b"h2c"),
    *(b"TE: trailers\r\n", b"Expect: 100-continue\r\n", b"Trailer: ", b"http://", b"OPTIONS * "),
    *(b"X-Forwarded-For: ", b"X-Forwarded-Host: ", b"X-Request-ID: ", b"_", b"[::1]:80"),
    *(b"0\r\n\r\n", b"\r\n1\r\na\r\n", b';a="', b"7fffffffffffffff", b"9223372036854775807"),
)

PROXY_WORDS = (
    *(
        b"PROXY ",
        b"TCP4 ",
        b"TCP6 ",
        b"UNKNOWN",
        b"\r\n",
        b"255.255.255.255",
        b"::ffff:",
        b"65535",
    ),
    *(b"\r\n\r\n\0\r\nQUIT\n\x21", b"\r\n\r\n\0\r\nQUIT\n\x20", b"\x11\0\x0c", b"\x21\0\x24"),
)

# Most of a hostile case of 64 KiB is padding.
_LONG = 1000

_FIELDS = (
    b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
    b"Connection: close, X-A\r\nX-A: b\r\n",
    b"Connection: TE\r\nTE: trailers\r\n",
    b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: b\r\n",
    b"Expect: 100-continue\r\nX-Request-ID: 1\r\n",
    b"Content-Length: 003\r\nContent_Length: 7\r\n",
    b"X_Forwarded_For: 1\r\nX-Forwarded_Host: b\r\nX_Real-IP: 1\r\nX_Request_ID: 1\r\n",
    b"Transfer-Encoding: Chunked\r\n",
)


def frames() -> Iterator[bytes]:
    """
    @return: one frame of each type, in pieces of one byte and at once.
    """
    hello = greeting.Hello(1, "token", "instance", "route", 8, "ticket", 1).encode()
    welcome = greeting.Welcome(1, "edge", 1, True).encode()
    opening = greeting.Open(wire.KIND_HTTP, True, "192.0.2.7:1 [::1]:2").encode(1)
    for size in (b"\0", b"\xff"):
        yield size + hello + wire.frame(wire.READY) + wire.frame(wire.NEWEST, 0, b"\x01")
        yield size + welcome + opening + wire.dataFrames(1, b"GET") + wire.doneFrame(1, True)
        for kind in wire.NAMES:
            for exchange in (0, 7):
                yield size + wire.frame(kind, exchange)
                yield size + wire.frame(kind, exchange, b"why")


def requests() -> Iterator[bytes]:
    """
    @return: the hostile requests, and good ones.
    """
    for case in (*PASSES, *REFUSED_HEADS, *REFUSED_BODIES):
        if len(case.data) <= _LONG:
            yield case.data
    for fields in _FIELDS:
        yield b"POST http://b:80/c?d HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields
        yield b"GET / HTTP/1.0\r\n%b\r\n" % fields


def responses() -> Iterator[bytes]:
    """
    @return: responses with several statuses and framings.
    """
    for status in (b"200 OK", b"101 x", b"100", b"103 ", b"204 x", b"304 x", b"599 \xff"):
        for fields in (
            *_FIELDS,
            b"",
            b"Content-Length: 5\r\nContent-Length: 5\r\n",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: gzip, chunked\r\n",
            b"Keep-Alive: 5\r\nTrailer: a\r\nSet-Cookie: a=b\r\n",
        ):
            for version in (b"1.0", b"1.1"):
                yield b"GHTTP/%b %b\r\n%b\r\n" % (version, status, fields)
    yield b"HHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def chunks() -> Iterator[bytes]:
    """
    @return: the hostile bodies, and good ones.
    """
    for case in (*PASSES, *REFUSED_BODIES):
        parsed = requestHead(case.data)
        if parsed is not None and len(case.data) <= _LONG:
            yield b"\x02" + case.data[parsed[1] :]
    yield b'\x025;a="b;\\"";c\r\nhello\r\n00a\r\n0123456789\r\n0;x\r\nA: b\r\nHost: c\r\n\r\nmore'


def hellos() -> Iterator[bytes]:
    """
    @return: hellos with a name and without, in one record and in several.
    """
    for name in ("www.example.com", None):
        whole = hello(name)
        yield b"\xff" + whole
        parts = whole[5:105], whole[105:]
        yield b"\x02" + b"".join(whole[:3] + pack("!H", len(part)) + part for part in parts)


def proxyHeaders() -> Iterator[bytes]:
    """
    @return: headers of both versions, with addresses of both families and of
        none.
    """
    hosts = ("192.0.2.7", "2001:db8::7", "::")
    for version in VERSIONS:
        yield proxyHeader(version, None)
        for source in hosts:
            for destination in hosts:
                ends = Endpoints(Address(source, 40312), Address(destination, 443))
                yield proxyHeader(version, ends) + b"GET"
    for family, size in ((0x11, 12), (0x21, 36), (0x31, 216)):
        for given in (size - 1, size):
            yield b"\r\n\r\n\0\r\nQUIT\n" + pack("!BBH", 0x21, family, given) + bytes(given)
    yield b"PROXY UNKNOWN ffff:f...f:ffff 65535\r\n"
    yield b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12" + bytes(12) + b"\x04\0\x03abc"


def forwardedFor() -> Iterator[bytes]:
    """
    @return: values as proxies write them.
    """
    yield b"192.0.2.7, 10.0.0.3"
    yield b"2001:db8::7\n[2001:db8::8]:80, 192.0.2.7:123"
    yield b"unknown, _hidden, ::ffff:192.0.2.7, fe80::1%eth0"
