"""
Hostile requests, byte by byte, each with the only right answer.

A case is refused with a status in its head or its body, or it passes.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["PASSES", "REFUSED_BODIES", "REFUSED_HEADS", "Hostile"]

_POST_CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@frozen
class Hostile:
    """
    One hostile request.

    @ivar status: what it is answered with; 0 for one that is served.
    """

    name: str
    data: bytes
    status: int = 0


def _host(value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % value


def _get(fields: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields


def _post(fields: bytes, body: bytes = b"ab") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n%b" % (fields, body)


REFUSED_HEADS = (
    Hostile(
        "01 CL+TE",
        _post(b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"),
        400,
    ),
    Hostile("02 CL differ", _post(b"Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
    Hostile("02b CL twice", _post(b"Content-Length: 2\r\nContent-Length: 2\r\n"), 400),
    Hostile("03 CL list same", _post(b"Content-Length: 2, 2\r\n"), 400),
    Hostile("04a CL +2", _post(b"Content-Length: +2\r\n"), 400),
    Hostile("04b CL 0x2", _post(b"Content-Length: 0x2\r\n"), 400),
    Hostile("04c CL empty", _post(b"Content-Length: \r\n"), 400),
    Hostile("04d CL 2^64+2", _post(b"Content-Length: 18446744073709551618\r\n"), 400),
    Hostile("04e CL 2^63", _post(b"Content-Length: 9223372036854775808\r\n"), 400),
    Hostile("04f CL -1", _post(b"Content-Length: -1\r\n"), 400),
    Hostile("04g CL 1_0", _post(b"Content-Length: 1_0\r\n"), 400),
    Hostile("05 TE xchunked", _post(b"Transfer-Encoding: xchunked\r\n"), 501),
    Hostile("05b TE gzip, chunked", _post(b"Transfer-Encoding: gzip, chunked\r\n"), 501),
    Hostile("06 TE chunked,identity", _post(b"Transfer-Encoding: chunked, identity\r\n"), 400),
    Hostile("06b TE empty", _post(b"Transfer-Encoding: \r\n"), 400),
    Hostile(
        "07 TE twice",
        _post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        400,
    ),
    Hostile(
        "08 TE in 1.0",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    Hostile("09 TE space colon", _post(b"Transfer-Encoding : chunked\r\n"), 400),
    Hostile("10a obs-fold", _get(b"X: a\r\n b\r\n"), 400),
    Hostile("10b lead ws first field", b"GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400),
    Hostile("10c no colon", _get(b"X\r\n"), 400),
    Hostile("10d empty name", _get(b": a\r\n"), 400),
    Hostile("10e good name behind a bad one", _get(b"bad name: a\r\n"), 400),
    Hostile("11 bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    Hostile("11b bare LF in fields", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
    Hostile("11c bare LF before CRLF", b"GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400),
    Hostile("12 bare CR in value", _get(b"X: a\rTransfer-Encoding: chunked\r\n"), 400),
    Hostile("13 NUL in value", _get(b"X: a\0b\r\n"), 400),
    Hostile("13b DEL in value", _get(b"X: a\x7fb\r\n"), 400),
    Hostile("13c ESC in value", _get(b"X: a\x1bb\r\n"), 400),
    Hostile("14 no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    Hostile("15 two Host", _get(b"Host: b\r\n"), 400),
    Hostile("15b two Host in 1.0", b"GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n", 400),
    Hostile("16a Host a b", _host(b"a b"), 400),
    Hostile("16b Host a@b", _host(b"a@b"), 400),
    Hostile("16c Host a/../b", _host(b"a/../b"), 400),
    Hostile("16d Host $(id)", _host(b"$(id)"), 400),
    Hostile("16e Host ;reboot", _host(b"a;reboot"), 400),
    Hostile("16f Host port 99999", _host(b"a:99999"), 400),
    Hostile("16g Host 300 chars", _host(b"a" * 300), 400),
    Hostile("16h Host -oProxyCommand=x", _host(b"-oProxyCommand=x"), 400),
    Hostile("16i Host a,b", _host(b"a,b"), 400),
    Hostile("16j Host empty", _host(b""), 400),
    Hostile("16k Host <script>", _host(b"<script>"), 400),
    Hostile("16l Host outside of ASCII", _host(b"\xe2\x84\xaaelvin"), 400),
    Hostile("17b absolute-form userinfo", b"GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("17c absolute-form, no Host", b"GET http://b/ HTTP/1.1\r\n\r\n", 400),
    Hostile("17d absolute-form, no name", b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("17e absolute-form, ftp", b"GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("18 CONNECT", b"CONNECT a:22 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    Hostile("18b CONNECT in origin-form", b"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
    Hostile("19b GET *", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("19c no slash", b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("24 0.9", b"GET /\r\n\r\n", 400),
    Hostile("25 HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    Hostile("26 HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    Hostile("26b HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Hostile("26c http/1.1", b"GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(
        "27 TLS hello",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"A" * 30 + b"\r\n\r\n",
        400,
    ),
    Hostile("28 64K URI", b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Hostile("28b 8K URI", b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    Hostile("29 64K field", _get(b"X: " + b"a" * 65536 + b"\r\n"), 431),
    Hostile("30 2000 fields", _get(b"".join(b"X%d: 1\r\n" % i for i in range(2000))), 431),
    Hostile("30b 101 fields", _get(b"X: 1\r\n" * 100), 431),
    Hostile("33 Expect foo", _get(b"Expect: foo\r\n"), 417),
    Hostile("34 space in target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("35 fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("35b obs-text in target", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("36 method no token", b'G=":<>(e) / HTTP/1.1\r\nHost: a\r\n\r\n', 400),
    Hostile("36b long method", b"G" * 33 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile("37b too many empty lines", b"\r\n" * 20 + _get(b""), 400),
    Hostile("38 CR in target", b"GET /a\rX: y HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    Hostile(
        "39 PROXY v1 unasked",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
)

REFUSED_BODIES = (
    Hostile("20a chunk 17 hex", _POST_CHUNKED + b"FFFFFFFFFFFFFFFF1\r\nx", 400),
    Hostile("20b chunk 0x1", _POST_CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", 400),
    Hostile("20c chunk -1", _POST_CHUNKED + b"-1\r\na\r\n0\r\n\r\n", 400),
    Hostile("20d chunk ws", _POST_CHUNKED + b" 1\r\na\r\n0\r\n\r\n", 400),
    Hostile("20e chunk 2^63", _POST_CHUNKED + b"8000000000000000\r\nx", 400),
    Hostile("20f chunk ws behind", _POST_CHUNKED + b"1 \r\na\r\n0\r\n\r\n", 400),
    Hostile("20g chunk without size", _POST_CHUNKED + b"\r\na\r\n0\r\n\r\n", 400),
    Hostile("20h chunk 1_0", _POST_CHUNKED + b"1_0\r\na", 400),
    Hostile("21 chunk no CRLF", _POST_CHUNKED + b"1\r\naX0\r\n\r\n", 400),
    Hostile("22a chunk-ext LF", _POST_CHUNKED + b"1;x\nyy\r\na\r\n0\r\n\r\n", 400),
    Hostile("22b chunk LF end", _POST_CHUNKED + b"1\na\n0\n\n", 400),
    Hostile("22c chunk-ext CR", _POST_CHUNKED + b"1;x\ryy\r\na\r\n0\r\n\r\n", 400),
    Hostile("22d chunk-ext long", _POST_CHUNKED + b"1;" + b"x" * 256 + b"\r\na\r\n", 400),
    Hostile("22e LF behind chunk", _POST_CHUNKED + b"1\r\na\n0\r\n\r\n", 400),
    Hostile("22f chunk-ext ws", _POST_CHUNKED + b"1 ;x = y\r\na\r\n0\r\n\r\n", 400),
    Hostile("23b trailer folded", _POST_CHUNKED + b"0\r\nX: a\r\n b\r\n\r\n", 400),
    Hostile("23c trailer LF", _POST_CHUNKED + b"0\r\nX: a\n\r\n", 400),
    Hostile("23d trailer 8K", _POST_CHUNKED + b"0\r\nX: " + b"a" * 8192, 400),
    Hostile("23e trailer 33 fields", _POST_CHUNKED + b"0\r\n" + b"X: 1\r\n" * 33 + b"\r\n", 400),
)

PASSES = (
    Hostile("17 absolute-form", b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile("19 OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile("23 trailer CL", _POST_CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n"),
    Hostile("31 Connection: Host", _get(b"Connection: Host\r\n")),
    Hostile("32 underscore CL", _post(b"Content_Length: 5\r\n", b"")),
    Hostile("36c method lower", b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    Hostile("37 leading CRLF x3", b"\r\n\r\n\r\n" + _get(b"")),
    Hostile(
        "40 Upgrade h2c",
        _get(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        ),
    ),
)
