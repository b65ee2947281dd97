"""
Hostile requests, byte by byte, each with the only correct answer.

A case is refused with a status because of its head or its body, or it passes.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["PASSES", "REFUSED_BODIES", "REFUSED_HEADS", "Hostile"]

_EMPTY = b"0\r\n\r\n"
_POST_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@frozen
class Hostile:
    """
    One hostile request.

    @ivar line: the line of C{doc/hostile.rst} that it belongs to.
    @ivar status: the status of the answer; 0 for a request that is served.
    """

    line: int
    name: str
    data: bytes
    status: int = 0


def _host(value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % value


def _get(fields: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields


def _options(value: bytes, method: bytes = b"OPTIONS") -> bytes:
    return b"%b / HTTP/1.1\r\nHost: a\r\nMax-Forwards: %b\r\n\r\n" % (method, value)


def _post(fields: bytes, body: bytes = b"ab") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n%b" % (fields, body)


REFUSED_HEADS = (
    Hostile(
        1,
        "CL+TE",
        _post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"),
        400,
    ),
    Hostile(2, "CL differ", _post(b"Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
    Hostile(2, "CL twice", _post(b"Content-Length: 2\r\nContent-Length: 2\r\n"), 400),
    Hostile(2, "CL list same", _post(b"Content-Length: 2, 2\r\n"), 400),
    Hostile(2, "CL +2", _post(b"Content-Length: +2\r\n"), 400),
    Hostile(2, "CL 0x2", _post(b"Content-Length: 0x2\r\n"), 400),
    Hostile(2, "CL empty", _post(b"Content-Length: \r\n"), 400),
    Hostile(2, "CL 2^64+2", _post(b"Content-Length: 18446744073709551618\r\n"), 400),
    Hostile(2, "CL 2^63", _post(b"Content-Length: 9223372036854775808\r\n"), 400),
    Hostile(2, "CL -1", _post(b"Content-Length: -1\r\n"), 400),
    Hostile(2, "CL 1_0", _post(b"Content-Length: 1_0\r\n"), 400),
    Hostile(3, "TE xchunked", _post(b"Transfer-Encoding: xchunked\r\n", _EMPTY), 501),
    Hostile(3, "TE gzip, chunked", _post(b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    Hostile(
        3, "TE chunked,identity", _post(b"Transfer-Encoding: chunked, identity\r\n", _EMPTY), 400
    ),
    Hostile(3, "TE empty member", _post(b"Transfer-Encoding: chunked,\r\n", _EMPTY), 501),
    Hostile(3, "TE empty", _post(b"Transfer-Encoding: \r\n"), 400),
    Hostile(
        3,
        "TE twice",
        _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", _EMPTY),
        400,
    ),
    Hostile(
        3,
        "TE in 1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Hostile(4, "TE space colon", _post(b"Transfer-Encoding : chunked\r\n", _EMPTY), 400),
    Hostile(4, "obs-fold", _get(b"X: a\r\n b\r\n"), 400),
    Hostile(4, "lead ws first field", b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400),
    Hostile(4, "no colon", _get(b"X\r\n"), 400),
    Hostile(4, "empty name", _get(b": a\r\n"), 400),
    Hostile(4, "good name behind a bad one", _get(b"bad name: a\r\n"), 400),
    Hostile(5, "bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    Hostile(5, "bare LF in fields", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    Hostile(5, "bare LF before CRLF", b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
    Hostile(5, "bare CR in value", _get(b"X: a\rTransfer-Encoding: chunked\r\n"), 400),
    Hostile(5, "NUL in value", _get(b"X: a\0b\r\n"), 400),
    Hostile(5, "DEL in value", _get(b"X: a\x7fb\r\n"), 400),
    Hostile(5, "ESC in value", _get(b"X: a\x1bb\r\n"), 400),
    Hostile(6, "no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    Hostile(6, "two Host", _get(b"Host: b\r\n"), 400),
    Hostile(6, "two Host in 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    Hostile(6, "Host a b", _host(b"a b"), 400),
    Hostile(6, "Host a@b", _host(b"a@b"), 400),
    Hostile(6, "Host a/../b", _host(b"a/../b"), 400),
    Hostile(7, "Host $(id)", _host(b"$(id)"), 400),
    Hostile(7, "Host ;reboot", _host(b"a;reboot"), 400),
    Hostile(6, "Host port 99999", _host(b"a:99999"), 400),
    Hostile(6, "Host no name but an empty port", _host(b":"), 400),
    Hostile(6, "Host two empty ports", _host(b"a::"), 400),
    Hostile(7, "Host 300 chars", _host(b"a" * 300), 400),
    Hostile(7, "Host -oProxyCommand=x", _host(b"-oProxyCommand=x"), 400),
    Hostile(6, "Host a,b", _host(b"a,b"), 400),
    Hostile(6, "Host empty", _host(b""), 400),
    Hostile(6, "Host <script>", _host(b"<script>"), 400),
    Hostile(6, "Host outside of ASCII", _host(b"\xe2\x84\xaaelvin"), 400),
    Hostile(8, "absolute-form userinfo", b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(8, "absolute-form, no Host", b"GET http://b/ HTTP/1.1\r\n\r\n", 400),
    Hostile(8, "absolute-form, no name", b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(8, "absolute-form, ftp", b"GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(9, "CONNECT", b"CONNECT a:22 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    Hostile(9, "CONNECT in origin-form", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    Hostile(9, "GET *", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(9, "no slash", b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(12, "0.9", b"GET /\r\n\r\n", 400),
    Hostile(12, "HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    Hostile(12, "HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    Hostile(12, "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Hostile(12, "http/1.1", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(
        12,
        "TLS hello",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"A" * 30 + b"\r\n\r\n",
        400,
    ),
    Hostile(14, "64K URI", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Hostile(14, "8K URI", b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Hostile(14, "64K field", _get(b"X: " + b"a" * 65536 + b"\r\n"), 431),
    Hostile(14, "2000 fields", _get(b"".join(b"X%d: 1\r\n" % i for i in range(2000))), 431),
    Hostile(14, "101 fields", _get(b"X: 1\r\n" * 100), 431),
    Hostile(22, "Expect foo", _get(b"Expect: foo\r\n"), 417),
    Hostile(9, "space in target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(9, "fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(9, "obs-text in target", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(22, "method no token", b'G=":<>(e) / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
    Hostile(22, "long method", b"G" * 33 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(22, "too many empty lines", b"\r\n" * 20 + _get(b""), 400),
    Hostile(5, "CR in target", b"GET /a\rX: y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(23, "Max-Forwards 0", _options(b"0"), 200),
    Hostile(23, "Max-Forwards 0 in TRACE", _options(b"0", b"TRACE"), 405),
    Hostile(23, "Max-Forwards no number", _options(b"-1"), 400),
    Hostile(23, "Max-Forwards twice", _options(b"5\r\nMax-Forwards: 5"), 400),
    Hostile(
        23, "TRACE with a body", b"TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", 400
    ),
    Hostile(
        13,
        "PROXY v1 unasked",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
)

REFUSED_BODIES = (
    Hostile(10, "chunk 17 hex", _POST_CHUNKED + b"FFFFFFFFFFFFFFFF1\r\nx", 400),
    Hostile(10, "chunk 0x1", _POST_CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk -1", _POST_CHUNKED + b"-1\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk ws", _POST_CHUNKED + b" 1\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk 2^63", _POST_CHUNKED + b"8000000000000000\r\nx", 400),
    Hostile(10, "chunk ws behind", _POST_CHUNKED + b"1 \r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk without size", _POST_CHUNKED + b"\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk 1_0", _POST_CHUNKED + b"1_0\r\na", 400),
    Hostile(10, "chunk no CRLF", _POST_CHUNKED + b"1\r\naX0\r\n\r\n", 400),
    Hostile(10, "chunk-ext LF", _POST_CHUNKED + b"1;x\nyy\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk LF end", _POST_CHUNKED + b"1\na\n0\n\n", 400),
    Hostile(10, "chunk-ext CR", _POST_CHUNKED + b"1;x\ryy\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk-ext long", _POST_CHUNKED + b"1;" + b"x" * 256 + b"\r\na\r\n", 400),
    Hostile(10, "LF behind chunk", _POST_CHUNKED + b"1\r\na\n0\r\n\r\n", 400),
    Hostile(10, "chunk ws tab", _POST_CHUNKED + b"1\t\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk-ext ws behind", _POST_CHUNKED + b"1 ; x \r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk-ext ws in size", _POST_CHUNKED + b"1 1;x\r\na\r\n0\r\n\r\n", 400),
    Hostile(10, "chunk-ext ws without name", _POST_CHUNKED + b"1 ; \r\na\r\n0\r\n\r\n", 400),
    Hostile(11, "trailer folded", _POST_CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n", 400),
    Hostile(11, "trailer LF", _POST_CHUNKED + b"0\r\nX: a\n\r\n", 400),
    Hostile(11, "trailer 8K", _POST_CHUNKED + b"0\r\nX: " + b"a" * 8192, 400),
    Hostile(11, "trailer 33 fields", _POST_CHUNKED + b"0\r\n" + b"X: 1\r\n" * 33 + b"\r\n", 400),
)

PASSES = (
    Hostile(6, "Host empty port", _host(b"a:")),
    Hostile(6, "absolute-form, empty port", b"GET http://a:/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    Hostile(8, "absolute-form", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile(9, "OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile(10, "chunk-ext ws", _POST_CHUNKED + b"1 ;x = y\r\na\r\n0 ; z\r\n\r\n"),
    Hostile(11, "trailer CL", _POST_CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n"),
    Hostile(15, "Connection: Host", _get(b"Connection: Host\r\n")),
    Hostile(15, "underscore CL", _post(b"Content_Length: 5\r\n", b"")),
    Hostile(22, "method lower", b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile(22, "leading CRLF x3", b"\r\n\r\n\r\n" + _get(b"")),
    Hostile(23, "Max-Forwards 1", _options(b"1")),
    Hostile(
        16,
        "Upgrade h2c",
        _get(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        ),
    ),
)
