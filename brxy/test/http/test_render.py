"""
Tests for L{brxy.http.render}.
"""

from __future__ import annotations

import h11
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadRequest
from brxy.http.messages import (
    ResponseHead,
    plainResponse,
    renderResponse,
    requestHead,
    responseHead,
)
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.heads import (
    DATE,
    answer,
    forwarded,
    get,
    lines,
    rendered,
    request,
    response,
)
from brxy.test.support.memory.requests import requests

DATED = DATE[:-2]

_bounded = bounded(150)

_END_TO_END = (
    b"accept",
    b"content-length",
    b"cookie",
    b"expect",
    b"x-empty",
    b"x-obs",
    b"x_under",
)


class RenderRequestTests(SynchronousTestCase):
    """
    Tests that L{renderRequest} writes only what the app may rely on.
    """

    def test_forwarding(self) -> None:
        """
        The forwarding fields of the client are dropped, and replaced by the
        edge's.
        """
        head = get(
            b"X-Forwarded-For: 1.2.3.4\r\nx-forwarded-proto: https\r\nX-FORWARDED-HOST: b\r\n"
            b"X-Forwarded-Client-Cert: x\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n"
            b"Proxy: x\r\nVia: 1.1 x\r\n"
        )
        self.assertEqual(
            lines(forwarded(head)),
            [
                b"GET / HTTP/1.1",
                b"Host: a",
                b"X-Forwarded-Host: a",
                b"Via: 1.1 x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Forwarded-Proto: http",
                b"Via: 1.1 brxy",
                b"X-Request-ID: made",
            ],
        )

    def test_hopByHop(self) -> None:
        """
        Hop-by-hop fields are not passed on.
        """
        head = get(
            b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n"
            b"TE: trailers\r\nUpgrade: websocket\r\nX-A: 1\r\n"
        )
        self.assertEqual(lines(forwarded(head))[3], b"X-A: 1")
        self.assertEqual(len(lines(forwarded(head))), 8)

    def test_proxyAuthorization(self) -> None:
        """
        Credentials for a proxy are passed on, since this one requests none (RFC 9110 §11.7.2),
        unless Connection names them.
        """
        head = get(b"Proxy-Authorization: Basic eDp5\r\n")
        self.assertIn(b"Proxy-Authorization: Basic eDp5", lines(forwarded(head)))
        head = get(b"Connection: proxy-authorization\r\nProxy-Authorization: Basic eDp5\r\n")
        self.assertNotIn(b"Proxy-Authorization", forwarded(head))

    def test_trailersWanted(self) -> None:
        """
        C{TE: trailers} of the client is also sent to the app.
        """
        head = get(b"Connection: TE\r\nTE: gzip, trailers\r\n")
        self.assertEqual(lines(forwarded(head))[-6:-4], [b"TE: trailers", b"Connection: TE"])
        head = get(b"Connection: TE\r\nTE: gzip\r\n")
        self.assertNotIn(b"TE:", forwarded(head))

    def test_requestID(self) -> None:
        """
        A valid X-Request-ID is kept.
        """
        for fields, expected in (
            (b"X-Request-ID: abc/1\r\n", b"abc/1"),
            (b"X-Request-ID: " + b"a" * 128 + b"\r\n", b"a" * 128),
            (b"X-Request-ID: " + b"a" * 129 + b"\r\n", None),
            (b"X-Request-ID: a b\r\n", None),
            (b"X-Request-ID: \xe9\r\n", None),
            (b"X-Request-ID: \r\n", None),
            (b"X-Request-ID: a\r\nX-Request-ID: b\r\n", None),
            (b"", None),
        ):
            head = get(fields)
            self.assertEqual(head.request_id, expected)
            sent = [line for line in lines(forwarded(head)) if line.startswith(b"X-Request-ID")]
            self.assertEqual(sent, [b"X-Request-ID: " + (expected or b"made")])

    def test_old(self) -> None:
        """
        A request of HTTP/1.0 goes to the app in HTTP/1.1, without what such a client can't
        receive an answer to, and Via says how it came.
        """
        head = get(
            b"Connection: keep-alive, TE\r\nTE: trailers\r\nExpect: 100-continue\r\n"
            b"Keep-Alive: 9\r\nVia: 1.1 x\r\n",
            version=b"1.0",
        )
        self.assertTrue(head.keep_alive)
        self.assertEqual(
            lines(forwarded(head)),
            [
                b"GET / HTTP/1.1",
                b"Host: a",
                b"X-Forwarded-Host: a",
                b"Via: 1.1 x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Forwarded-Proto: http",
                b"Via: 1.0 brxy",
                b"X-Request-ID: made",
            ],
        )

    def test_withoutHost(self) -> None:
        """
        The Host of a request of HTTP/1.0 without one is the name of its route.
        """
        head = request(b"GET / HTTP/1.0\r\nX-A: 1\r\n\r\n")
        sent = lines(forwarded(head))
        self.assertEqual(sent[:3], [b"GET / HTTP/1.1", b"X-A: 1", b"Host: route.example"])
        self.assertNotIn(b"X-Forwarded-Host", b"".join(sent))

    @_bounded
    @given(requests())
    def test_roundTrip(self, data: bytes) -> None:
        """
        The app gets the same request, as another parser and our own read it.
        """
        try:
            parsed = requestHead(data)
        except BadRequest:
            return
        if parsed is None:
            return
        head = parsed[0]
        sent = forwarded(head)
        again, taken = requestHead(sent) or self.fail("not whole")
        self.assertEqual(taken, len(sent))
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(sent)
        event = connection.next_event()
        assert isinstance(event, h11.Request)
        self.assertEqual((event.method, event.target), (head.method, head.target))
        self.assertEqual(event.http_version, b"1.1")
        self.assertEqual(list(event.headers), [(f[0], f[2]) for f in again.fields])
        # An app gets a Host even if a client of HTTP/1.0 sends none.
        hosts = ("host", "authority") if head.authority else ()
        for name in ("method", "target", *hosts, "length", "upgrade"):
            self.assertEqual(getattr(again, name), getattr(head, name), name)
        self.assertEqual(
            [f for f in again.fields if f[0] in _END_TO_END],
            [f for f in head.fields if f[0] in _END_TO_END and (head.http11 or f[0] != b"expect")],
        )


class RenderResponseTests(SynchronousTestCase):
    """
    Tests that L{renderResponse} writes what the client can rely on.
    """

    def render(self, head: ResponseHead, http11: bool = True, keep: bool = True) -> list[bytes]:
        """
        @return: the lines of a head as the client receives it.
        """
        return lines(rendered(head, http11, keep))

    def test_plain(self) -> None:
        """
        All other fields pass unchanged.
        """
        head = answer(
            b"Set-Cookie: a\r\nContent-Length: 5\r\nset-cookie: b\r\nKeep-Alive: 5\r\n"
            b"Connection: keep-alive, X-Hop, Content-Length\r\nX-Hop: 1\r\nUpgrade: h2\r\n"
            b"Proxy-Authenticate: x\r\nProxy-Authentication-Info: y\r\n",
            version=b"1.0",
        )
        self.assertEqual(
            self.render(head),
            [
                b"HTTP/1.1 200 X",
                DATED,
                b"Set-Cookie: a",
                b"Content-Length: 5",
                b"set-cookie: b",
                b"Proxy-Authenticate: x",
                b"Proxy-Authentication-Info: y",
                b"Via: 1.0 brxy",
            ],
        )

    def test_persistence(self) -> None:
        """
        The response says whether the connection to the client is kept.
        """
        head = answer(b"Content-Length: 5\r\n")
        self.assertNotIn(b"Connection", b"".join(self.render(head)))
        self.assertEqual(self.render(head, keep=False)[-1], b"Connection: close")
        self.assertEqual(self.render(head, False)[-1], b"Connection: keep-alive")
        self.assertEqual(self.render(head, False, False)[-1], b"Connection: close")

    def test_endsByClose(self) -> None:
        """
        If the end of the connection ends the body, the head says so.
        """
        self.assertEqual(self.render(answer(b""))[-1], b"Connection: close")

    def test_chunked(self) -> None:
        """
        A client of HTTP/1.0 gets no chunks.
        """
        head = answer(b"Transfer-Encoding: chunked\r\nTrailer: X\r\n")
        self.assertEqual(self.render(head)[2:4], [b"Transfer-Encoding: chunked", b"Trailer: X"])
        self.assertEqual(
            self.render(head, False)[1:], [DATED, b"Via: 1.1 brxy", b"Connection: close"]
        )

    def test_interim(self) -> None:
        """
        Interim responses contain nothing about the connection, and are not
        sent to HTTP/1.0 clients.
        """
        head = answer(b"Link: x\r\nContent-Length: 5\r\n", b"103")
        self.assertEqual(
            self.render(head, keep=False), [b"HTTP/1.1 103 X", b"Link: x", b"Via: 1.1 brxy"]
        )
        self.assertEqual(rendered(head, http11=False), b"")

    def test_noContent(self) -> None:
        """
        A 204 has no Content-Length. A 304 may have the length that a 200 would
        have.
        """
        self.assertEqual(
            self.render(answer(b"Content-Length: 5\r\n", b"204"))[1:], [DATED, b"Via: 1.1 brxy"]
        )
        self.assertIn(b"Content-Length: 5", self.render(answer(b"Content-Length: 5\r\n", b"304")))

    def test_switching(self) -> None:
        """
        A 101 keeps the fields that the upgrade needs.
        """
        head = answer(
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n", b"101"
        )
        self.assertEqual(
            self.render(head, keep=False)[1:],
            [
                b"Sec-WebSocket-Accept: x",
                b"Via: 1.1 brxy",
                b"Upgrade: websocket",
                b"Connection: upgrade",
            ],
        )

    def test_date(self) -> None:
        """
        A response without a Date gets one at each time that it is passed on (RFC 9110 §6.6.1);
        others keep theirs, whatever it is, and informational ones go on without.
        """
        for fields, expected in (
            (b"Content-Length: 0\r\n", [DATED]),
            (b"X-Date: 1\r\nContent-Length: 0\r\n", [DATED]),
            (b"Connection: Date\r\nDate: 1\r\nContent-Length: 0\r\n", [DATED]),
            (b"Date: 1\r\nContent-Length: 0\r\n", [b"Date: 1"]),
            (b"Content-Length: 0\r\nDATE: \r\n", [b"DATE: "]),
        ):
            for http11, keep in ((True, True), (True, True), (True, False), (False, True)):
                sent = self.render(answer(fields), http11, keep)
                self.assertEqual([x for x in sent if x[:5].lower() == b"date:"], expected, fields)
        self.assertEqual(self.render(answer(b"", b"103"))[1:], [b"Via: 1.1 brxy"])
        head = answer(b"Content-Length: 0\r\n")
        ticks = iter([b"Date: 1\r\n", b"Date: 2\r\n"])
        sent = [renderResponse(head, True, True, b"x", lambda: next(ticks)) for _ in range(2)]
        self.assertEqual([lines(text)[1] for text in sent], [b"Date: 1", b"Date: 2"])

    def test_upgradeRequired(self) -> None:
        """
        A 426 says what to upgrade to (RFC 9110 §15.5.22), except h2c.
        """
        fields = b"Upgrade: h2c, websocket\r\nConnection: upgrade\r\nContent-Length: 0\r\n"
        head = answer(fields, b"426")
        lines = [b"Upgrade: websocket", b"Connection: upgrade", b"Via: 1.1 brxy"]
        for http11, keep, more in (
            (True, True, []),
            (True, False, [b"Connection: close"]),
            (False, True, [b"Connection: keep-alive"]),
        ):
            self.assertEqual(self.render(head, http11, keep)[-3 - len(more) :], lines + more)
        head = answer(b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 0\r\n", b"426")
        self.assertEqual(self.render(head)[-1], b"Via: 1.1 brxy")


class PlainResponseTests(SynchronousTestCase):
    """
    Tests of L{plainResponse}, which makes the edge's own responses.
    """

    def test_whole(self) -> None:
        """
        The response can be parsed, and has its text as the body.
        """
        data = plainResponse(503, "no instance", keep_alive=True, retry_after=7)
        head, taken = responseHead(data, b"GET") or self.fail("not whole")
        self.assertEqual(data[taken:], b"no instance\n")
        self.assertEqual((head.status, head.length), (503, 12))
        self.assertIn((b"retry-after", b"Retry-After", b"7"), head.fields)
        self.assertIn((b"cache-control", b"Cache-Control", b"no-store"), head.fields)
        self.assertEqual(head.options, (b"keep-alive",))

    def test_close(self) -> None:
        """
        The response says that the connection ends, and for 405 and an OPTIONS which methods
        are allowed.
        """
        for status in (405, 200):
            head = response(plainResponse(status, "no", keep_alive=False))
            self.assertFalse(head.keep_alive)
            self.assertIn(b"allow", [f[0] for f in head.fields])

    def test_headOnly(self) -> None:
        """
        The response to a HEAD is the same without its body.
        """
        data = plainResponse(404, "no", keep_alive=True)
        self.assertEqual(plainResponse(404, "no", keep_alive=True, head_only=True) + b"no\n", data)

    def test_escaped(self) -> None:
        """
        Case 21: no terminal or browser interprets anything in the text.
        """
        data = plainResponse(404, "<script>\r\n\x1b[2J é\udc80", keep_alive=True)
        self.assertTrue(data.endswith("\r\n\r\n&lt;script&gt;\\r\\n\\x1b[2J é\\udc80\n".encode()))
