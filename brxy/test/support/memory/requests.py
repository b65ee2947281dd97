"""
Generated requests for property tests: legal ones with odd features, and ones
with a few bytes changed.
"""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["chunkedBodies", "requests"]

_METHODS = st.sampled_from(
    [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH", b"x-y"]
)
_TARGETS = st.sampled_from(
    [b"/", b"/a?b=c", b"//x//", b"/%00;|{}[]", b"http://b.c:80/d?e", b"HTTP://b?x", b"http://b:/"]
)
_VERSIONS = st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"])
_ODD_LINES = st.sampled_from(
    [
        b"CONNECT a:22 HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"OPTIONS http://b HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET b HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
    ]
)
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
        b'Cookie: a=b; c="d,e"',
        b"TE: trailers",
        b"X-Forwarded-For: 1.2.3.4",
        b"Content_Length: 7",
    ]
)
_ODD_FIELDS = st.sampled_from(
    [
        b"Host: b",
        b"Host: a b",
        b"Content-Length: 3",
        b"Content-Length: 003",
        b"Content-Length: 3, 3",
        b"Content-Length: +3",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Expect: something",
        b" folded",
        b"X : 1",
    ]
)
_EXTENSIONS = st.sampled_from(
    [b""] * 6 + [b";a", b";a=b", b';a="b;c"', b";a=b;c", b" ; a = b", b';a; b="c d"']
)
_TRAILERS = st.sampled_from(
    [b"X-Sum: 1", b"Content-Length: 3", b"Host: b", b"x_forwarded_for: 1", b"Y:"]
)
_BAD_BYTES = st.sampled_from(
    [b"\0", b"\r", b"\n", b" ", b"\t", b":", b",", b"\x7f", b"\xff", b"0", b""]
)


@st.composite
def chunkedBodies(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """
    Generates a chunked body and its content.
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
def _framed(draw: st.DrawFn, old: bool) -> tuple[list[bytes], bytes]:
    """
    Generates the fields that frame a body, and that body.
    """
    kind = draw(st.sampled_from(["none", "length", "none" if old else "chunked"]))
    if kind == "chunked":
        name = draw(
            st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:Chunked "])
        )
        return [name], draw(chunkedBodies())[0]
    if kind == "length":
        body = draw(st.binary(max_size=20))
        spelling = draw(st.sampled_from([b"Content-Length: %d", b"content-length:00%d "]))
        return [spelling % len(body)], body
    return [], b""


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """
    Generates a request, whole or cut, legal or not, sometimes with bytes after
    it.
    """
    version = draw(_VERSIONS)
    odd, changes = draw(st.sampled_from([(0, 0)] * 4 + [(1, 0), (2, 0), (3, 0), (0, 1), (0, 2)]))
    line = b" ".join((draw(_METHODS), draw(_TARGETS), version))
    if odd & 1:
        line = draw(_ODD_LINES)
    framing, body = draw(_framed(version == b"HTTP/1.0"))
    host = draw(st.sampled_from([b"Host: a.example:80"] * 3 + [b"Host: a.example:"]))
    hosts = [host] if draw(st.integers(0, 19)) else []
    fields = framing + hosts + draw(st.lists(_FIELDS, max_size=4))
    if odd & 2:
        fields.append(draw(_ODD_FIELDS))
    blank = b"\r\n" * draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2]))
    head = b"\r\n".join([line, *draw(st.permutations(fields)), b"", b""])
    data = blank + head + body + draw(st.sampled_from([b"", b"", b"GET / HTTP/1.1\r\n", b"\0"]))
    for _ in range(changes):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(_BAD_BYTES) + data[place + draw(st.integers(0, 1)) :]
    return data
