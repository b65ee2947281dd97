"""
Tests for L{brxy.http.response}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadResponse
from brxy.http.messages import CHUNKED, MAX_HEAD, UNTIL_CLOSE, responseHead
from brxy.test.support.memory.heads import answer, response


class ResponseHeadTests(SynchronousTestCase):
    """
    Tests that L{responseHead} checks apps as strictly as clients are checked.
    """

    def test_plain(self) -> None:
        """
        A plain response is read.
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
        A response that can't be passed on is refused.
        """
        ok = b"HTTP/1.1 200 OK\r\n"
        for data in (
            ok + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            ok + b"Content-Length: 1\r\ncontent-length: 1\r\n\r\n",
            ok + b"Content-Length: 1, 1\r\n\r\n",
            ok + b"Content-Length: x\r\n\r\n",
            ok + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            ok + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            ok + b"X: a\0b\r\n\r\n",
            ok + b"X: a\rb\r\n\r\n",
            ok + b"X: a\nb\r\n\r\n",
            ok + b"X: a\r\n b\r\n\r\n",
            ok + b"X y: a\r\n\r\n",
            ok + b" : a\r\n\r\n",
            ok + b"Content-Length : 5\r\n\r\n",
            ok + b"Transfer-Encoding\t: chunked\r\n\r\n",
            ok + b"Connection : close\r\n\r\n",
            ok + b"X : \0\r\n\r\n",
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
        A head that can't become valid is refused before it ends, so that no
        client waits for it.
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
            ok + b"X y",
            ok + b" : ",
            ok + b"X: \0",
            ok + b"X: " + b"a" * MAX_HEAD,
        ):
            self.assertRaises(BadResponse, responseHead, data, b"GET")

    def test_splits(self) -> None:
        """
        No beginning of a valid head is refused, and none is taken for a whole
        head.
        """
        for data in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: y\r\n\r\n",
            b"HTTP/1.0 404\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX : y\r\nY \t:\r\n\r\n",
        ):
            for end in range(len(data)):
                self.assertIsNone(responseHead(data[:end], b"GET"), data[:end])
            self.assertIsNotNone(responseHead(data, b"GET"))

    def test_blanks(self) -> None:
        """
        Blanks before a colon are removed (RFC 9112 §5.1), as long as the field does not frame
        the response.
        """
        head = answer(b"X : a b\r\nContent-Length: 5\r\nSet-Cookie \t:c=d\r\n")
        self.assertEqual(head.passed, b"X: a b\r\nContent-Length: 5\r\nSet-Cookie: c=d\r\n")
        self.assertEqual(head.length, 5)

    def test_noBody(self) -> None:
        """
        Some responses have no body, whatever their fields say.
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
        A body is chunked, has a known length, or lasts until the connection
        ends.
        """
        self.assertEqual(answer(b"Transfer-Encoding: Chunked\r\n").length, CHUNKED)
        self.assertEqual(answer(b"").length, UNTIL_CLOSE)
        known = answer(b"Content-Length: 05\r\nX: 1\r\n")
        self.assertEqual(known.length, 5)
        self.assertEqual([f[2] for f in known.fields], [b"5", b"1"])

    def test_keepAlive(self) -> None:
        """
        The connection to the app is kept if the app keeps it.
        """
        length = b"Content-Length: 0\r\n"
        self.assertTrue(answer(length).keep_alive)
        self.assertFalse(answer(b"").keep_alive)
        self.assertFalse(answer(length + b"Connection: Close\r\n").keep_alive)
        self.assertFalse(answer(length, version=b"1.0").keep_alive)
        self.assertTrue(answer(length + b"Connection: keep-alive\r\n", version=b"1.0").keep_alive)

    def test_switching(self) -> None:
        """
        A 101 is recognized.
        """
        head = answer(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"101")
        self.assertEqual((head.upgrade, head.length, head.keep_alive), (True, 0, False))
