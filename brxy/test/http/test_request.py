"""
Tests for L{brxy.http.request}.
"""

from __future__ import annotations

from attrs import asdict
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.http.messages import CHUNKED, MAX_HEAD, asSent, requestHead
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.heads import POST, forwarded, get, lines, outcome, request
from brxy.test.support.memory.requests import requests

_bounded = bounded(150)


class RequestHeadTests(SynchronousTestCase):
    """
    Tests that L{requestHead} returns everything that the edge's decisions
    need.
    """

    def test_plain(self) -> None:
        """
        A plain request is read.
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
        The result is L{None} until the empty line has arrived.
        """
        for data in (b"", b"\r", b"\r\n", b"\r\n\r\n", b"G", b"GET / HTTP/1.0\r\n\r", POST):
            self.assertIsNone(requestHead(data), data)

    def test_oldClient(self) -> None:
        """
        A client of HTTP/1.0 needs no Host, and its connection is kept only if
        it requests that.  No Host is made up: the app gets the name of its route.
        """
        head = request(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual((head.http11, head.host, head.authority), (False, "", b""))
        self.assertFalse(head.keep_alive)
        self.assertTrue(get(b"Connection: Keep-Alive\r\n", b"1.0").keep_alive)
        self.assertFalse(get(b"Connection: keep-alive, close\r\n", b"1.0").keep_alive)
        self.assertNotIn(b"Host", head.passed)
        self.assertEqual(lines(forwarded(head))[1], b"Host: route.example")
        self.assertEqual(forwarded(head).count(b"Host"), 1)

    def test_close(self) -> None:
        """
        Any C{close} among the options of any Connection field counts.
        """
        self.assertFalse(get(b"Connection: x\r\nconnection: y ,\t CLOSE\r\n").keep_alive)
        self.assertTrue(get(b"Connection: closed\r\n").keep_alive)

    def test_length(self) -> None:
        """
        Content-Length is passed on in its shortest form.
        """
        head = request(POST + b"Content-Length: 007\r\n\r\n")
        self.assertEqual(head.length, 7)
        self.assertIn(b"\r\nContent-Length: 7\r\n", forwarded(head))
        self.assertEqual(request(POST + b"Content-Length: 0\r\n\r\n").length, 0)
        largest = request(POST + b"Content-Length: 9223372036854775807\r\n\r\n")
        self.assertEqual(largest.length, 2**63 - 1)

    def test_chunked(self) -> None:
        """
        C{chunked} is recognized in upper and lower case.
        """
        head = request(POST + b"transfer-encoding: CHUNKED \r\n\r\n")
        self.assertEqual(head.length, CHUNKED)

    def test_bounds(self) -> None:
        """
        The largest allowed values are accepted.
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
        Bytes outside of ASCII pass in field values.
        """
        self.assertEqual(get(b"X: \xe9\xff\x80\r\n").fields[1][2], b"\xe9\xff\x80")

    def test_expect(self) -> None:
        """
        A client of HTTP/1.1 can wait for a 100 response with a body. The app of another does
        not see that it expects one.
        """
        post = POST + b"Content-Length: 1\r\n%b\r\n"
        old = post.replace(b"HTTP/1.1", b"HTTP/1.0")
        chunked = POST + b"Transfer-Encoding: chunked\r\n%b\r\n"
        # Empty members of a list count for nothing (RFC 9110 §5.6.1.2).
        for data, value, expected in (
            (post, b"100-Continue", True),
            (chunked, b", 100-continue ,", True),
            (post, b",", False),
            (old, b"100-continue", False),
            (POST + b"%b\r\n", b"100-continue", False),
            (POST + b"Content-Length: 0\r\n%b\r\n", b"100-continue", False),
        ):
            head = request(data % (b"Expect: %b\r\nX: y\r\n" % value))
            self.assertEqual(head.expect_continue, expected, (data, value))
            sent = lines(forwarded(head))
            self.assertIn(b"X: y", sent)
            if value != b",":
                self.assertEqual(b"Expect: " + value in sent, expected, (data, value))

    def test_upgrade(self) -> None:
        """
        An upgrade needs both fields, HTTP/1.1, and a protocol other than h2c. The request may
        have a body (RFC 9110 §7.8).
        """
        both = b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\n"
        head = get(both)
        self.assertTrue(head.upgrade)
        self.assertEqual(
            lines(forwarded(head))[-6:-4], [b"Upgrade: websocket", b"Connection: upgrade"]
        )
        self.assertFalse(get(both, b"1.0").upgrade)
        self.assertFalse(get(b"Upgrade: websocket\r\n").upgrade)
        with_body = request(POST + both + b"Content-Length: 1\r\n\r\n")
        self.assertTrue(with_body.upgrade)
        self.assertIn(b"\r\nUpgrade: websocket\r\nConnection: upgrade\r\n", forwarded(with_body))
        self.assertFalse(get(b"Connection: upgrade\r\n").upgrade)

    def test_idempotent(self) -> None:
        """
        The methods of RFC 9110 §9.2.2 are idempotent, and methods are
        case-sensitive.
        """
        for method in (b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"):
            self.assertTrue(request(b"%b / HTTP/1.0\r\n\r\n" % method).idempotent, method)
        for method in (b"POST", b"PATCH", b"get", b"LOCK"):
            self.assertFalse(request(b"%b / HTTP/1.0\r\n\r\n" % method).idempotent, method)

    def test_maxForwards(self) -> None:
        """
        An OPTIONS or TRACE goes on with one less in Max-Forwards, and no larger number than
        an app can read. Other requests go on unchanged, as do those without it.
        """
        data = b"%b / HTTP/1.1\r\nHost: a\r\nX-Max-Forwards: 5\r\n%b\r\n\r\n"
        for method in (b"OPTIONS", b"TRACE"):
            for line, expected in (
                (b"Max-Forwards: 1", [b"Max-Forwards: 0"]),
                (b"max-forwards:0010 ", [b"max-forwards: 9"]),
                (b"Max-Forwards: 1000000000", [b"Max-Forwards: 999999999"]),
                (b"Max-Forwards: " + b"9" * 5000, [b"Max-Forwards: 999999999"]),
                (b"Connection: Max-Forwards\r\nMax-Forwards: 5", []),
                (b"Max-Forwarded: 5", [b"Max-Forwarded: 5"]),
            ):
                for _ in range(2):
                    sent = lines(forwarded(request(data % (method, line))))
                    found = [each for each in sent if each.lower().startswith(b"max-")]
                    self.assertEqual(found, expected, line)
        for method in (b"GET", b"POST", b"options"):
            for value in (b"0", b"5", b"x"):
                line = b"Max-Forwards: " + value
                self.assertIn(line, lines(forwarded(request(data % (method, line)))))

    def test_maxForwardsOver(self) -> None:
        """
        With 0 they go no further: an OPTIONS is answered, and a TRACE, which would have to be
        repeated, is not. What is no number, or two, is refused, and so is a TRACE with a body.
        """
        data = b"%b / HTTP/1.1\r\nHost: a\r\n%b\r\n"
        for method, fields, status in (
            (b"OPTIONS", b"Max-Forwards: 0\r\n", 200),
            (b"OPTIONS", b"Connection: Max-Forwards\r\nMax-Forwards: 000\r\n", 200),
            (b"TRACE", b"Max-Forwards: 0\r\n", 405),
            (b"OPTIONS", b"Max-Forwards: -1\r\n", 400),
            (b"TRACE", b"Max-Forwards: 1, 2\r\n", 400),
            (b"OPTIONS", b"Max-Forwards:\r\n", 400),
            (b"OPTIONS", b"Max-Forwards: 1\r\nMax-Forwards: 1\r\n", 400),
            (b"TRACE", b"Content-Length: 1\r\n", 400),
            (b"TRACE", b"Transfer-Encoding: chunked\r\n", 400),
            (b"TRACE", b"Content-Length: 0\r\n", 0),
            (b"OPTIONS", b"Content-Length: 1\r\n", 0),
        ):
            self.assertEqual(outcome(data % (method, fields))[0], status, (method, fields))

    def test_targets(self) -> None:
        """
        An absolute-form target loses its scheme and authority, and nothing
        else.
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

    def test_emptyPort(self) -> None:
        """
        An empty port (RFC 3986 §3.2.3) counts as none, and the app gets none.
        """
        for host, authority, route in (
            (b"a:", b"a", "a"),
            (b"A.Example.:", b"A.Example.", "a.example"),
            (b"[::1]:", b"[::1]", "[::1]"),
            (b"127.0.0.1:", b"127.0.0.1", "127.0.0.1"),
        ):
            for data in (
                b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host,
                b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % host,
                b"GET http://%b/ HTTP/1.1\r\nHost: other\r\n\r\n" % host,
                b"GET http://%b HTTP/1.1\r\nHost: other:\r\n\r\n" % host,
                b"OPTIONS http://%b HTTP/1.1\r\nHost: other\r\n\r\n" % host,
            ):
                head = request(data)
                self.assertEqual((head.authority, head.host), (authority, route), data)
                sent = lines(forwarded(head))
                self.assertEqual(
                    sent[1:3], [b"Host: " + authority, b"X-Forwarded-Host: " + authority]
                )
        for host in (b":", b"a::", b"::1:", b"[::1:", b"a:80:", b"a: "):
            data = b"GET http://%b/ HTTP/1.1\r\nHost: a\r\n\r\n" % host
            self.assertEqual(outcome(data), (400, 0), host)

    @_bounded
    @given(requests(), st.data())
    def test_splits(self, data: bytes, draw: st.DataObject) -> None:
        """
        However the bytes are split, they make the same head: no beginning of a
        valid head is refused, and none is taken for a whole head.
        """
        status, taken = outcome(data)
        for end in draw.draw(st.lists(st.integers(0, len(data)), max_size=20)):
            early = outcome(data[:end])
            if status:
                self.assertTrue(early[0] or early[1] == -1)
            else:
                self.assertEqual(early, (0, taken if 0 <= taken <= end else -1))


class AsSentTests(SynchronousTestCase):
    """
    Tests of L{asSent}.
    """

    def test_same(self) -> None:
        """
        Another edge reads the same request.
        """
        for data in (
            b"GET /a?b HTTP/1.1\r\nHost: Example.com:80\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
        ):
            parsed = requestHead(data)
            assert parsed is not None
            again = requestHead(asSent(parsed[0]))
            assert again is not None
            self.assertEqual(asdict(again[0]), asdict(parsed[0]))

    def test_absolute(self) -> None:
        """
        The authority of the target is the host.
        """
        parsed = requestHead(b"GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n\r\n")
        assert parsed is not None
        self.assertEqual(asSent(parsed[0]), b"GET /x HTTP/1.1\r\nHost: b.test\r\nX: 1\r\n\r\n")

    def test_last(self) -> None:
        """
        The connection is to be closed, unless the client offers another protocol.
        """
        for fields in (b"", b"Connection: keep-alive\r\n"):
            parsed = requestHead(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n" % fields)
            assert parsed is not None
            again = requestHead(asSent(parsed[0], is_last=True))
            assert again is not None
            self.assertEqual((parsed[0].keep_alive, again[0].keep_alive), (True, False))
        upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
        parsed = requestHead(upgrade)
        assert parsed is not None
        self.assertEqual(asSent(parsed[0], is_last=True), upgrade)

    def test_expectation(self) -> None:
        """
        An expectation goes on only if nothing has answered it.
        """
        parsed = requestHead(POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert parsed is not None
        self.assertIn(b"Expect: 100-continue", asSent(parsed[0]))
        self.assertNotIn(b"Expect", asSent(parsed[0], expects=False))
