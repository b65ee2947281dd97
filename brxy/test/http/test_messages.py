"""
Tests of L{brxy.http.messages} with hostile requests.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.http.messages import MAX_HEAD
from brxy.test.support.memory.heads import (
    POST,
    forwarded,
    get,
    lines,
    outcome,
    outcomeByBytes,
    request,
)
from brxy.test.support.memory.hostile import PASSES, REFUSED_BODIES, REFUSED_HEADS


class HostileTests(SynchronousTestCase):
    """
    Tests that each hostile request gets its one correct answer.
    """

    def test_refused(self) -> None:
        """
        Each refused request gets the right status.
        """
        for case in REFUSED_HEADS:
            self.assertEqual(outcome(case.data), (case.status, 0), case.name)

    def test_refusedInPieces(self) -> None:
        """
        The answer does not depend on how the bytes are split.
        """
        for case in REFUSED_HEADS:
            self.assertEqual(outcomeByBytes(case.data), (case.status, 0), case.name)

    def test_passes(self) -> None:
        """
        Heads are accepted if the request is served, or if only its body will
        be refused.
        """
        for case in PASSES + REFUSED_BODIES:
            end = case.data.index(b"\r\n\r\n", 6) + 4
            self.assertEqual(outcome(case.data), (0, end), case.name)
            self.assertEqual(outcomeByBytes(case.data), (0, end), case.name)

    def test_refusedEarly(self) -> None:
        """
        A head that can't become valid is refused before it ends.
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
        The authority of an absolute-form target is used as the route and as
        the app's Host.
        """
        head = request(b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual((head.host, head.authority, head.target), ("b", b"b", b"/"))
        self.assertEqual(lines(forwarded(head))[:2], [b"GET / HTTP/1.1", b"Host: b"])
        self.assertNotIn(b"Host: a", forwarded(head))

    def test_optionsAsterisk(self) -> None:
        """
        The target C{*} passes unchanged.
        """
        head = request(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(lines(forwarded(head))[0], b"OPTIONS * HTTP/1.1")

    def test_connectionHost(self) -> None:
        """
        Connection never removes fields that affect framing or routing, or that
        describe the client.
        """
        head = request(
            POST + b"Content-Length: 5\r\nX-Request-ID: 1\r\nVia: 1.1 x\r\nX-A: 1\r\n"
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
                b"Via: 1.1 brxy",
                b"X-Request-ID: 1",
            ],
        )

    def test_connectionTransferEncoding(self) -> None:
        """
        Connection never removes Transfer-Encoding.
        """
        head = request(
            POST + b"Transfer-Encoding: Chunked\r\nConnection: transfer-encoding\r\n\r\n"
        )
        self.assertIn(b"\r\nTransfer-Encoding: chunked\r\n", forwarded(head))

    def test_underscores(self) -> None:
        """
        Field names that CGI would confuse with framing or forwarding are
        dropped. Others with an underscore are not.
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
        A request to upgrade to h2c is not passed on.
        """
        head = get(
            b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
        )
        self.assertFalse(head.upgrade)
        for name in (b"upgrade", b"http2-settings", b"connection"):
            self.assertNotIn(b"\r\n" + name + b":", forwarded(head).lower())
