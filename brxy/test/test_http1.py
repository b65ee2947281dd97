"""
Tests for L{brxy.edge.http1}.
"""

from __future__ import annotations

import h11
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.http1 import (
    CHUNKED,
    MAX_HEAD,
    UNTIL_CLOSE,
    RequestHead,
    ResponseHead,
    plainResponse,
    renderRequest,
    renderResponse,
    requestHead,
    requestID,
    responseHead,
)
from brxy.errors import BadRequest, BadResponse
from brxy.test.hostile import PASSES, REFUSED_BODIES, REFUSED_HEADS
from brxy.test.requests import requests

_bounded = settings(max_examples=150, deadline=None, derandomize=True)

_END_TO_END = (
    b"accept",
    b"content-length",
    b"cookie",
    b"expect",
    b"x-empty",
    b"x-obs",
    b"x_under",
)

_POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def request(data: bytes) -> RequestHead:
    """
    The head that C{data} begins with.
    """
    parsed = requestHead(data)
    assert parsed is not None, "the head is not whole"
    return parsed[0]


def get(fields: bytes = b"", version: bytes = b"1.1") -> RequestHead:
    """
    The head of a GET with a Host and some more fields.
    """
    return request(b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, fields))


def response(data: bytes, method: bytes = b"GET") -> ResponseHead:
    """
    The response head that C{data} begins with.
    """
    parsed = responseHead(data, method)
    assert parsed is not None, "the head is not whole"
    return parsed[0]


def answer(fields: bytes, status: bytes = b"200", version: bytes = b"1.1") -> ResponseHead:
    """
    The head of an answer to a GET.
    """
    return response(b"HTTP/%b %b X\r\n%b\r\n" % (version, status, fields))


def forwarded(head: RequestHead) -> bytes:
    """
    A request's head as it goes to the app.
    """
    return renderRequest(
        head, client=b"192.0.2.1", proto=b"http", via=b"1.1 brxy", request_id=b"made"
    )


def lines(head: bytes) -> list[bytes]:
    """
    The lines of a rendered head, without the one that ends it.
    """
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


def outcome(data: bytes) -> tuple[int, int]:
    """
    The status that a request's head is refused with and 0, or 0 and the bytes it
    took (-1 when it is not whole).
    """
    try:
        parsed = requestHead(data)
    except BadRequest as error:
        return error.status, 0
    return 0, -1 if parsed is None else parsed[1]


def outcomeByBytes(data: bytes) -> tuple[int, int]:
    """
    L{outcome} for bytes that come one by one; longer heads come in larger pieces.
    """
    result = (0, -1)
    step = 1 + len(data) // 2000
    for end in range(step, len(data) + step, step):
        result = outcome(data[:end])
        if result != (0, -1):
            break
    return result


class HostileTests(SynchronousTestCase):
    """
    Each hostile request has one right answer.
    """

    def test_refused(self) -> None:
        """
        What is refused is refused with its status.
        """
        for case in REFUSED_HEADS:
            self.assertEqual(outcome(case.data), (case.status, 0), case.name)

    def test_refusedInPieces(self) -> None:
        """
        How the bytes come in changes no answer.
        """
        for case in REFUSED_HEADS:
            self.assertEqual(outcomeByBytes(case.data), (case.status, 0), case.name)

    def test_passes(self) -> None:
        """
        The heads of requests that are served, and of those whose body will be
        refused, are accepted.
        """
        for case in PASSES + REFUSED_BODIES:
            end = case.data.index(b"\r\n\r\n", 6) + 4
            self.assertEqual(outcome(case.data), (0, end), case.name)
            self.assertEqual(outcomeByBytes(case.data), (0, end), case.name)

    def test_refusedEarly(self) -> None:
        """
        Nobody waits for the end of what can't become a head.
        """
        for data, status in (
            (b"\x16", 400),
            (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 400),
            (b"PROXY TCP4 192.0.2.1", 400),
            (b"GET / HTTP/1.1\n", 400),
            (b"GET  /", 400),
            (b"GET / HTTP/2.0\r\n", 505),
            (b"GET / HTTP/1.1\r\nHost: a\n", 400),
            (b"GET / HTTP/1.1\r\nHost : ", 400),
            (b"GET / HTTP/1.1\r\n ", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\n b", 400),
            (b"GET / HTTP/1.1\r\nHost: a\rb", 400),
            (b"GET /" + b"a" * 8192, 414),
            (b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD, 431),
            (b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 101, 431),
        ):
            self.assertEqual(outcome(data), (status, 0), data[:50])

    def test_absoluteForm(self) -> None:
        """
        17: the authority of the target is the route and the app's Host.
        """
        head = request(b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((head.host, head.authority, head.target), ("b", b"b", b"/"))
        self.assertEqual(lines(forwarded(head))[:2], [b"GET / HTTP/1.1", b"Host: b"])
        self.assertNotIn(b"Host: a", forwarded(head))

    def test_optionsAsterisk(self) -> None:
        """
        19: it passes as it is.
        """
        head = request(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(lines(forwarded(head))[0], b"OPTIONS * HTTP/1.1")

    def test_connectionHost(self) -> None:
        """
        31: Connection never strips what frames, routes or tells of the client.
        """
        head = request(
            _POST + b"Content-Length: 5\r\nX-Request-ID: 1\r\nVia: 1.1 x\r\nX-A: 1\r\n"
            b"Connection: Host, content-length, X-Forwarded-For, X-Request-ID, Via, x-a\r\n\r\n"
        )
        self.assertEqual(
            lines(forwarded(head)),
            [
                b"POST / HTTP/1.1",
                b"Host: a",
                b"X-Forwarded-Host: a",
                b"Content-Length: 5",
                b"Via: 1.1 x",
                b"X-Forwarded-For: 192.0.2.1",
                b"X-Forwarded-Proto: http",
                b"X-Request-ID: 1",
                b"Via: 1.1 brxy",
            ],
        )

    def test_connectionTransferEncoding(self) -> None:
        """
        31: nor does it strip Transfer-Encoding.
        """
        head = request(
            _POST + b"Transfer-Encoding: Chunked\r\nConnection: transfer-encoding\r\n\r\n"
        )
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", forwarded(head))

    def test_underscores(self) -> None:
        """
        32: names that CGI would confuse with framing or forwarding are dropped,
        others with an underscore are not.
        """
        head = get(
            b"Content_Length: 5\r\nTransfer_encoding: chunked\r\nHOST_: b\r\n_Host: b\r\n"
            b"X_Forwarded_For: 1\r\nx_forwarded-user: 1\r\nX_Request_ID: 1\r\n"
            b"PROXY: x\r\nX_A: 1\r\n"
        )
        self.assertEqual(head.length, 0)
        self.assertEqual(lines(forwarded(head))[3:6], [b"HOST_: b", b"_Host: b", b"X_A: 1"])

    def test_h2c(self) -> None:
        """
        40: an upgrade to h2c is not asked for any more.
        """
        head = get(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
        )
        self.assertFalse(head.upgrade)
        for name in (b"upgrade", b"http2-settings", b"connection"):
            self.assertNotIn(b"\r\n" + name + b":", forwarded(head).lower())


class RequestHeadTests(SynchronousTestCase):
    """
    L{requestHead} says all that the edge decides by.
    """

    def test_plain(self) -> None:
        """
        A plain request.
        """
        data = (
            b"GET /a?b=%20 HTTP/1.1\r\nHost: Example.com:80\r\nACCEPT:\t*/* \t\r\nX:\r\n\r\nrest"
        )
        parsed = requestHead(bytearray(data))
        assert parsed is not None
        head, taken = parsed
        self.assertEqual(data[taken:], b"rest")
        self.assertEqual((head.method, head.target, head.http11), (b"GET", b"/a?b=%20", True))
        self.assertEqual(
            head.fields,
            [
                (b"host", b"Host", b"Example.com:80"),
                (b"accept", b"ACCEPT", b"*/*"),
                (b"x", b"X", b""),
            ],
        )
        self.assertEqual((head.host, head.authority), ("example.com", b"Example.com:80"))
        self.assertEqual(head.length, 0)
        self.assertEqual(
            (head.keep_alive, head.upgrade, head.expect_continue, head.idempotent),
            (True, False, False, True),
        )

    def test_incomplete(self) -> None:
        """
        L{None} until the empty line is there.
        """
        for data in (b"", b"\r", b"\r\n", b"\r\n\r\n", b"G", b"GET / HTTP/1.0\r\n\r", _POST):
            self.assertIsNone(requestHead(data), data)

    def test_oldClient(self) -> None:
        """
        HTTP/1.0 knows no Host, and asks when it wants to go on.
        """
        head = request(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((head.http11, head.host, head.authority), (False, "", b""))
        self.assertFalse(head.keep_alive)
        self.assertTrue(get(b"Connection: Keep-Alive\r\n", b"1.0").keep_alive)
        self.assertFalse(get(b"Connection: keep-alive, close\r\n", b"1.0").keep_alive)
        self.assertNotIn(b"Host", forwarded(head))

    def test_close(self) -> None:
        """
        Any C{close} among the options of any Connection field counts.
        """
        self.assertFalse(get(b"Connection: x\r\nconnection: y ,\t CLOSE\r\n").keep_alive)
        self.assertTrue(get(b"Connection: closed\r\n").keep_alive)

    def test_length(self) -> None:
        """
        Content-Length goes on in its shortest spelling.
        """
        head = request(_POST + b"Content-Length: 007\r\n\r\n")
        self.assertEqual(head.length, 7)
        self.assertIn(b"\r\nContent-Length: 7\r\n", forwarded(head))
        self.assertEqual(request(_POST + b"Content-Length: 0\r\n\r\n").length, 0)
        largest = request(_POST + b"Content-Length: 9223372036854775807\r\n\r\n")
        self.assertEqual(largest.length, 2**63 - 1)

    def test_chunked(self) -> None:
        """
        C{chunked} is chunked in any case.
        """
        head = request(_POST + b"transfer-encoding: CHUNKED \r\n\r\n")
        self.assertEqual(head.length, CHUNKED)

    def test_bounds(self) -> None:
        """
        What just fits is accepted.
        """
        target = b"/" + b"a" * 8191
        self.assertEqual(request(b"GET %b HTTP/1.0\r\n\r\n" % target).target, target)
        self.assertEqual(len(get(b"X: 1\r\n" * 99).fields), 100)
        room = MAX_HEAD - len(b"GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n")
        self.assertEqual(len(get(b"X: %b\r\n" % (b"a" * room)).fields[1][2]), room)
        data = b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"a" * (room + 1))
        self.assertEqual(outcome(data), (431, 0))
        self.assertEqual(outcome(data[:-4]), (0, -1))
        self.assertEqual(request(b"M" * 32 + b" / HTTP/1.0\r\n\r\n").method, b"M" * 32)

    def test_obsText(self) -> None:
        """
        Bytes outside of ASCII pass in values.
        """
        self.assertEqual(get(b"X: \xe9\xff\x80\r\n").fields[1][2], b"\xe9\xff\x80")

    def test_expect(self) -> None:
        """
        A client of HTTP/1.1 can wait for a 100.
        """
        self.assertTrue(get(b"Expect: 100-Continue\r\n").expect_continue)
        self.assertFalse(get(b"Expect: 100-continue\r\n", b"1.0").expect_continue)

    def test_upgrade(self) -> None:
        """
        An upgrade needs both fields, HTTP/1.1, and a protocol that is not h2c.
        """
        both = b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\n"
        head = get(both)
        self.assertTrue(head.upgrade)
        self.assertEqual(
            lines(forwarded(head))[-2:], [b"Upgrade: websocket", b"Connection: upgrade"]
        )
        self.assertFalse(get(both, b"1.0").upgrade)
        self.assertFalse(get(b"Upgrade: websocket\r\n").upgrade)
        self.assertFalse(get(b"Connection: upgrade\r\n").upgrade)

    def test_idempotent(self) -> None:
        """
        RFC 9110 §9.2.2; methods are case-sensitive.
        """
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"):
            self.assertTrue(request(b"%b / HTTP/1.0\r\n\r\n" % method).idempotent, method)
        for method in (b"POST", b"PATCH", b"get", b"LOCK"):
            self.assertFalse(request(b"%b / HTTP/1.0\r\n\r\n" % method).idempotent, method)

    def test_targets(self) -> None:
        """
        Absolute-form loses its scheme and authority, and nothing else.
        """
        for target, method, expected in (
            (b"http://b", b"GET", (b"/", "b")),
            (b"HTTPS://B:443/x//y?z", b"GET", (b"/x//y?z", "b")),
            (b"http://b?x=http://c/", b"GET", (b"/?x=http://c/", "b")),
            (b"http://[::1]:8080/x", b"GET", (b"/x", "[::1]")),
            (b"http://b", b"OPTIONS", (b"*", "b")),
            (b"http://b/", b"OPTIONS", (b"/", "b")),
            (b"//b/x", b"GET", (b"//b/x", "a")),
            (b"/http://b/", b"GET", (b"/http://b/", "a")),
        ):
            head = request(b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, target))
            self.assertEqual((head.target, head.host), expected, target)

    @_bounded
    @given(requests(), st.data())
    def test_splits(self, data: bytes, draw: st.DataObject) -> None:
        """
        However the bytes come in, they make the same head: no beginning of a
        good head is refused, none is a head.
        """
        status, taken = outcome(data)
        for end in draw.draw(st.lists(st.integers(0, len(data)), max_size=20)):
            early = outcome(data[:end])
            if status:
                self.assertTrue(early[0] or early[1] == -1)
            else:
                self.assertEqual(early, (0, taken if 0 <= taken <= end else -1))


class RenderRequestTests(SynchronousTestCase):
    """
    L{renderRequest} writes what the app may believe.
    """

    def test_forwarding(self) -> None:
        """
        What the client claims to know of itself is dropped, and said afresh.
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
                b"X-Request-ID: made",
                b"Via: 1.1 brxy",
            ],
        )

    def test_hopByHop(self) -> None:
        """
        Fields for this hop don't go on.
        """
        head = get(
            b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n"
            b"Proxy-Authorization: x\r\nTE: trailers\r\nUpgrade: websocket\r\nX-A: 1\r\n"
        )
        self.assertEqual(lines(forwarded(head))[3], b"X-A: 1")
        self.assertEqual(len(lines(forwarded(head))), 8)

    def test_trailersWanted(self) -> None:
        """
        C{TE: trailers} is asked for again.
        """
        head = get(b"Connection: TE\r\nTE: gzip, trailers\r\n")
        self.assertEqual(lines(forwarded(head))[-2:], [b"TE: trailers", b"Connection: TE"])
        head = get(b"Connection: TE\r\nTE: gzip\r\n")
        self.assertNotIn(b"TE:", forwarded(head))

    def test_requestID(self) -> None:
        """
        A sane X-Request-ID is kept.
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
            self.assertEqual(requestID(head), expected)
            sent = [line for line in lines(forwarded(head)) if line.startswith(b"X-Request-ID")]
            self.assertEqual(sent, [b"X-Request-ID: " + (expected or b"made")])

    @_bounded
    @given(requests())
    def test_roundTrip(self, data: bytes) -> None:
        """
        What goes to the app is the same request, by another parser and by ours.
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
        self.assertEqual(event.http_version, b"1.1" if head.http11 else b"1.0")
        self.assertEqual(list(event.headers), [(f[0], f[2]) for f in again.fields])
        for name in ("method", "target", "host", "authority", "length", "upgrade"):
            self.assertEqual(getattr(again, name), getattr(head, name), name)
        self.assertEqual(
            [f for f in again.fields if f[0] in _END_TO_END],
            [f for f in head.fields if f[0] in _END_TO_END],
        )


class ResponseHeadTests(SynchronousTestCase):
    """
    L{responseHead} trusts apps no more than clients.
    """

    def test_plain(self) -> None:
        """
        A plain response.
        """
        data = b"HTTP/1.1 404 Not \xe9Found\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
        parsed = responseHead(bytearray(data), b"GET")
        assert parsed is not None
        head, taken = parsed
        self.assertEqual(data[taken:], b"hello")
        self.assertEqual((head.status, head.reason), (404, b"Not \xe9Found"))
        self.assertEqual((head.http11, head.length, head.keep_alive), (True, 5, True))
        self.assertFalse(head.upgrade)

    def test_reasons(self) -> None:
        """
        The reason phrase may be empty, and its space missing.
        """
        self.assertEqual(response(b"HTTP/1.1 200 \r\n\r\n").reason, b"")
        self.assertEqual(response(b"HTTP/1.0 200\r\n\r\n").reason, b"")

    def test_refused(self) -> None:
        """
        What can't be passed on is refused.
        """
        ok = b"HTTP/1.1 200 OK\r\n"
        for data in (
            ok + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            ok + b"Content-Length: 1, 1\r\n\r\n",
            ok + b"Content-Length: x\r\n\r\n",
            ok + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            ok + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            ok + b"X: a\0b\r\n\r\n",
            ok + b"X: a\rb\r\n\r\n",
            ok + b"X: a\nb\r\n\r\n",
            ok + b"X: a\r\n b\r\n\r\n",
            ok + b"X : a\r\n\r\n",
            ok + b"X\r\n\r\n",
            ok + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
            ok + b"X: 1\r\n" * 101 + b"\r\n",
            b"HTTP/1.1 200 OK\nX: 1\n\n",
            b"HTTP/1.1 200 O\0K\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 2000 OK\r\n\r\n",
            b"HTTP/1.1 000 OK\r\n\r\n",
            b"HTTP/1.1  200 OK\r\n\r\n",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"http/1.1 200 OK\r\n\r\n",
            b"\r\nHTTP/1.1 200 OK\r\n\r\n",
            b"garbage\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        ):
            self.assertRaises(BadResponse, responseHead, data, b"GET")

    def test_refusedEarly(self) -> None:
        """
        No client waits for the end of what can't become a head.
        """
        ok = b"HTTP/1.1 200 OK\r\n"
        for data in (
            b"g",
            b"\r\n",
            b"HTTP/1.1 2x",
            b"HTTP/1.1 200x",
            b"HTTP/1.1 200 O\0",
            b"HTTP/1.1 200\n",
            b"HTTP/1.1 200 " + b"a" * 2000,
            ok + b"X : ",
            ok + b"X: \0",
            ok + b"X: " + b"a" * MAX_HEAD,
        ):
            self.assertRaises(BadResponse, responseHead, data, b"GET")

    def test_splits(self) -> None:
        """
        No beginning of a good head is refused, none is a head.
        """
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: y\r\n\r\n",
            b"HTTP/1.0 404\r\n\r\n",
        ):
            for end in range(len(data)):
                self.assertIsNone(responseHead(data[:end], b"GET"), data[:end])
            self.assertIsNotNone(responseHead(data, b"GET"))

    def test_noBody(self) -> None:
        """
        Some responses have no body whatever they say.
        """
        data = b"HTTP/1.1 %b X\r\nContent-Length: 5\r\n\r\n"
        self.assertEqual(response(data % b"200", b"HEAD").length, 0)
        self.assertTrue(response(data % b"200", b"HEAD").keep_alive)
        self.assertEqual(response(data % b"304").length, 0)
        self.assertTrue(response(data % b"304").keep_alive)
        self.assertEqual(response(data % b"204").length, 0)
        self.assertEqual(response(data % b"100").length, 0)
        self.assertTrue(answer(b"", b"204").keep_alive)

    def test_forbiddenBody(self) -> None:
        """
        An app that announces a body for a 204 may also send one: its connection
        is not used again.
        """
        self.assertFalse(answer(b"Content-Length: 5\r\n", b"204").keep_alive)
        self.assertFalse(answer(b"Transfer-Encoding: chunked\r\n", b"204").keep_alive)
        self.assertTrue(answer(b"Content-Length: 0\r\n", b"204").keep_alive)

    def test_lengths(self) -> None:
        """
        Chunked, of a known length, or to the end of the connection.
        """
        self.assertEqual(answer(b"Transfer-Encoding: Chunked\r\n").length, CHUNKED)
        self.assertEqual(answer(b"").length, UNTIL_CLOSE)
        same = answer(b"Content-Length: 05\r\nX: 1\r\ncontent-length: 05\r\n")
        self.assertEqual(same.length, 5)
        self.assertEqual([f[2] for f in same.fields], [b"5", b"1"])

    def test_keepAlive(self) -> None:
        """
        The app's connection is kept when its end of it is.
        """
        length = b"Content-Length: 0\r\n"
        self.assertTrue(answer(length).keep_alive)
        self.assertFalse(answer(b"").keep_alive)
        self.assertFalse(answer(length + b"Connection: Close\r\n").keep_alive)
        self.assertFalse(answer(length, version=b"1.0").keep_alive)
        self.assertTrue(answer(length + b"Connection: keep-alive\r\n", version=b"1.0").keep_alive)

    def test_switching(self) -> None:
        """
        A 101 is told apart.
        """
        head = answer(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"101")
        self.assertEqual((head.upgrade, head.length, head.keep_alive), (True, 0, False))


class RenderResponseTests(SynchronousTestCase):
    """
    L{renderResponse} writes what the client can rely on.
    """

    def render(self, head: ResponseHead, http11: bool = True, keep: bool = True) -> list[bytes]:
        """
        The lines of a head as it goes to a client.
        """
        return lines(renderResponse(head, http11_client=http11, keep_alive=keep, via=b"1.1 brxy"))

    def test_plain(self) -> None:
        """
        The rest goes through as it was.
        """
        head = answer(
            b"Set-Cookie: a\r\nContent-Length: 5\r\nset-cookie: b\r\nKeep-Alive: 5\r\n"
            b"Connection: keep-alive, X-Hop, Content-Length\r\nX-Hop: 1\r\nUpgrade: h2\r\n"
            b"Proxy-Authenticate: x\r\n",
            version=b"1.0",
        )
        self.assertEqual(
            self.render(head),
            [
                b"HTTP/1.1 200 X",
                b"Set-Cookie: a",
                b"Content-Length: 5",
                b"set-cookie: b",
                b"Via: 1.1 brxy",
            ],
        )

    def test_persistence(self) -> None:
        """
        The client is told whether its connection is kept.
        """
        head = answer(b"Content-Length: 5\r\n")
        self.assertNotIn(b"Connection", b"".join(self.render(head)))
        self.assertEqual(self.render(head, keep=False)[-1], b"Connection: close")
        self.assertEqual(self.render(head, False)[-1], b"Connection: keep-alive")
        self.assertEqual(self.render(head, False, False)[-1], b"Connection: close")

    def test_endsByClose(self) -> None:
        """
        Where the end of the connection ends the body, the head says so.
        """
        self.assertEqual(self.render(answer(b""))[-1], b"Connection: close")

    def test_chunked(self) -> None:
        """
        A client of HTTP/1.0 knows no chunks.
        """
        head = answer(b"Transfer-Encoding: chunked\r\nTrailer: X\r\n")
        self.assertEqual(self.render(head)[1:3], [b"Transfer-Encoding: chunked", b"Trailer: X"])
        self.assertEqual(self.render(head, False)[1:], [b"Via: 1.1 brxy", b"Connection: close"])

    def test_interim(self) -> None:
        """
        Interim responses say nothing of the connection, and are not for HTTP/1.0.
        """
        head = answer(b"Link: x\r\nContent-Length: 5\r\n", b"103")
        self.assertEqual(
            self.render(head, keep=False), [b"HTTP/1.1 103 X", b"Link: x", b"Via: 1.1 brxy"]
        )
        self.assertEqual(
            renderResponse(head, http11_client=False, keep_alive=True, via=b"1.1 brxy"), b""
        )

    def test_noContent(self) -> None:
        """
        A 204 announces no body; a 304 may tell the length that a 200 has.
        """
        self.assertEqual(
            self.render(answer(b"Content-Length: 5\r\n", b"204"))[1:], [b"Via: 1.1 brxy"]
        )
        self.assertIn(b"Content-Length: 5", self.render(answer(b"Content-Length: 5\r\n", b"304")))

    def test_switching(self) -> None:
        """
        A 101 keeps what makes it one.
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


class PlainResponseTests(SynchronousTestCase):
    """
    L{plainResponse} is an answer of the edge's own.
    """

    def test_whole(self) -> None:
        """
        It parses, with its text as the body.
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
        It says that the connection ends, and what 405 allows.
        """
        head = response(plainResponse(405, "no", keep_alive=False))
        self.assertFalse(head.keep_alive)
        self.assertIn(b"allow", [f[0] for f in head.fields])

    def test_headOnly(self) -> None:
        """
        For a HEAD it is the same without its body.
        """
        data = plainResponse(404, "no", keep_alive=True)
        self.assertEqual(plainResponse(404, "no", keep_alive=True, head_only=True) + b"no\n", data)

    def test_escaped(self) -> None:
        """
        21: nothing in its text is obeyed by a terminal or a browser.
        """
        data = plainResponse(404, "<script>\r\n\x1b[2J é\udc80", keep_alive=True)
        self.assertTrue(data.endswith("\r\n\r\n&lt;script&gt;\\r\\n\\x1b[2J é\\udc80\n".encode()))
