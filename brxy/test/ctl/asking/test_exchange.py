"""
Tests of L{brxy.ctl.asking.exchange}.
"""

from __future__ import annotations

import socket
from io import BytesIO
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from brxy.ctl.asking.exchange import BadResponse, Connection, Response

__all__ = ["ConnectionTests", "ResponseTests"]


def response(text: bytes) -> Response:
    """
    @return: a response that a server has sent.
    """
    return Response(BytesIO(text))


class ResponseTests(SynchronousTestCase):
    """
    Tests of L{Response}.
    """

    def test_length(self) -> None:
        """
        A body may have a length; then the connection can be kept.
        """
        found = response(b"HTTP/1.1 404 No\r\ncontent-LENGTH: 2\r\n\r\nhithere")
        self.assertEqual((found.status, found.read(), found.closes), (404, b"hi", False))

    def test_chunked(self) -> None:
        """
        A body may come in chunks.
        """
        found = response(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
        )
        self.assertEqual((found.read(), found.closes), (b"abc0123456789", True))

    def test_end(self) -> None:
        """
        Without either, it lasts until the connection ends.
        """
        for version in (b"1.0", b"1.1"):
            found = response(b"HTTP/%b 200 OK\r\n\r\nabc" % version)
            self.assertEqual((found.read(), found.closes), (b"abc", True))

    def test_lines(self) -> None:
        """
        Lines may be in several chunks.
        """
        found = response(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\na\r\nb\r\n5\r\n\xc3\xa4\n\nc\r\n0\r\n\r\n"
        )
        self.assertEqual(list(found.lines()), ["a", "bä", ""])

    def test_bad(self) -> None:
        """
        What is no response, or none that is complete, is reported.
        """
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for text in (
            b"",
            b"+PONG\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 xyz\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b",
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000,
            b"HTTP/1.1 200 " + b"x" * 100_000,
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\nab",
            chunked + b"x\r\n",
            chunked + b"3\r\nab",
            chunked + b"fffffffffff\r\nab",
        ):
            self.assertRaises(BadResponse, lambda text=text: response(text).read())


class ConnectionTests(SynchronousTestCase):
    """
    Tests of L{Connection}.
    """

    def test_kept(self) -> None:
        """
        Requests go over one connection until it is closed; a body is JSON.
        """
        near, far = socket.socketpair()
        received: list[bytes] = []
        opened: list[float] = []

        def serve() -> None:
            with far:
                for _ in range(2):
                    received.append(far.recv(65536))
                    far.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        def connect(patience: float) -> socket.socket:
            opened.append(patience)
            return near

        thread = Thread(target=serve)
        thread.start()
        connection = Connection(connect, "localhost")
        for method, body in (("GET", None), ("POST", {"a": 1})):
            answer = connection.request(method, "/x", body, {"A": "b"}, 5.0, None)
            self.assertEqual(answer.read(), b"{}")
        connection.close()
        thread.join()
        self.assertEqual(opened, [5.0])
        head = b" /x HTTP/1.1\r\nHost: localhost\r\nA: b\r\n"
        form = b"Content-Type: application/json\r\nContent-Length: 8\r\n\r\n"
        self.assertEqual(received, [b"GET%b\r\n" % head, b'POST%b%b{"a": 1}' % (head, form)])
