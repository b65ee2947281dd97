"""
Requests made up for property tests: legal ones with odd features, and ones
with a few bytes changed.
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["chunkedBodies", "requests"]

_METHODS = st.sampled_from(
    [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"x-y"]
)
_TARGETS = st.sampled_from(
    [
        b"/",
        b"/a?b=c",
        b"*",
        b"//x//",
        b"/%00;|{}[]",
        b"http://b.c:80/d?e",
        b"HTTP://b?x",
        b"/a#b",
        b"b",
    ]
)
_VERSIONS = st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0"] * 3 + [b"HTTP/1.2", b"HTTP/2.0"])
_FIELDS = st.sampled_from(
    [
        b"Accept:*/*",
        b"X-A: \t padded \t ",
        b"X-Empty:",
        b"!#$%&'*+-.^_`|~9: all of a token",
        b"X-Obs: \xe9\xff",
        b"x_under: 1",
        b"Connection: close",
        b"Connection: keep-alive, X-A",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"Host: b",
        b"Content-Length: 0",
        b"Content-Length: 10",
        b"Content-Length: 003",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: Chunked ",
        b"Transfer-Encoding: gzip, chunked",
        b'Cookie: a=b; c="d,e"',
        b"TE: trailers",
        b"X-Forwarded-For: 1.2.3.4",
        b"Content_Length: 7",
    ]
)
_EXTENSIONS = st.sampled_from([b""] * 6 + [b";a", b";a=b", b';a="b;c"', b";a=b;c"])
_TRAILERS = st.sampled_from(
    [b"X-Sum: 1", b"Content-Length: 3", b"Host: b", b"x_forwarded_for: 1", b"Y:"]
)
_BAD_BYTES = st.sampled_from(
    [b"\0", b"\r", b"\n", b" ", b"\t", b":", b",", b"\x7f", b"\xff", b"0", b""]
)


@st.composite
def chunkedBodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """
    A chunked body and its content.
    """
    contents = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
    parts = []
    for content in contents:
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(content)
        parts += [size, draw(_EXTENSIONS), b"\r\n", content, b"\r\n"]
    parts += [b"0", draw(_EXTENSIONS), b"\r\n"]
    parts += [line + b"\r\n" for line in draw(st.lists(_TRAILERS, max_size=3))]
    return b"".join(parts) + b"\r\n", b"".join(contents)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """
    A request, whole or cut, legal or not, with something behind it sometimes.
    """
    fields = draw(st.lists(_FIELDS, max_size=5))
    if draw(st.integers(0, 9)):
        fields.insert(draw(st.integers(0, len(fields))), b"Host: a.example:80")
    line = b" ".join((draw(_METHODS), draw(_TARGETS), draw(_VERSIONS)))
    head = b"\r\n" * draw(st.sampled_from([0, 0, 0, 1, 2])) + b"\r\n".join(
        [line, *fields, b"", b""]
    )
    data = head + draw(st.one_of(chunkedBodies().map(lambda b: b[0]), st.binary(max_size=20)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(_BAD_BYTES) + data[place + draw(st.integers(0, 1)) :]
    return data
