"""
Tests of L{brxy.ctl.asking.client}: how an edge is found, and what is said if there is none.
"""

from __future__ import annotations

import os
import socket
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.ctl.asking.client import PLACES, Edge, findEdge, pathOf
from brxy.ctl.exitstatus import FAILED, NO_EDGE, NOT_FOUND, USAGE, Failure

__all__ = ["ClientTests"]

_OK = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a": 1}\n'


class ClientTests(SynchronousTestCase):
    """
    Tests of L{Edge} and L{findEdge}.
    """

    def setUp(self) -> None:
        scratch = TemporaryDirectory(prefix="brxy-")
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.path = str(self.folder / "admin.sock")

    def answering(self, answer: bytes) -> list[bytes]:
        """
        Have a server answer one connection at the socket.

        @return: what it is sent.
        """
        received: list[bytes] = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with listener, client:
                received.append(client.recv(65536))
                client.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        return received

    def given(self, **options: str) -> Namespace:
        """
        A parsed command line.
        """
        return Namespace(**{"socket": None, "url": None, "token_file": None, **options})

    def fails(self, edge: Edge) -> Failure:
        """
        @return: why the edge can't be asked.
        """
        failure: Failure = self.assertRaises(Failure, edge.get, "/v1/status")
        return failure

    def test_found(self) -> None:
        """
        An edge is found by its socket or by the folder of that, which are
        given by an option or by the environment.
        """
        for given, environ in (
            (self.given(socket=self.path), {}),
            (self.given(socket=f"unix:{self.path}"), {}),
            (self.given(socket=str(self.folder)), {"BRXY_ADMIN": "/nowhere"}),
            (self.given(), {"BRXY_ADMIN": self.path}),
            (self.given(), {"BRXY_ADMIN": str(self.folder)}),
        ):
            received = self.answering(_OK)
            edge = findEdge(given, environ)
            self.assertEqual(edge.get("/v1/status", host="a b", state=""), {"a": 1})
            self.assertTrue(received[0].startswith(b"GET /v1/status?host=a+b HTTP/1.1\r\n"))
            edge.close()
            os.unlink(self.path)

    def test_token(self) -> None:
        """
        The token of a file is sent to a URL.
        """
        (self.folder / "token").write_text("secret\n")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            given = self.given(url=url, token_file=str(self.folder / "token"))
            edge = findEdge(given, {})
            thread = Thread(target=lambda: self.assertEqual(edge.get("/v1/status"), {"a": 1}))
            thread.start()
            client, _ = listener.accept()
            with client:
                self.assertIn(b"Authorization: Bearer secret\r\n", client.recv(65536))
                client.sendall(_OK)
                thread.join()
        edge.close()

    def test_noEdge(self) -> None:
        """
        One line says that there is no edge, and where it was looked for.
        """
        failure = self.fails(Edge(self.path))
        self.assertEqual(failure.status, NO_EDGE)
        self.assertEqual(str(failure), f"no edge at {self.path}: No such file or directory")
        self.assertEqual(
            self.assertRaises(Failure, findEdge, self.given(token_file="/x"), {}).status, FAILED
        )

    def test_noUsualPlace(self) -> None:
        """
        If no place is named and the usual ones have none, it says what to give.
        """
        if any(map(os.path.exists, PLACES)):
            raise SkipTest("needs a machine without an edge of its own")
        failure = self.assertRaises(Failure, findEdge, self.given(), {})
        self.assertEqual(failure.status, NO_EDGE)
        self.assertIn("give --socket", str(failure))

    def test_left(self) -> None:
        """
        A socket that an edge left behind is no edge.
        """
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
        self.assertEqual(
            str(self.fails(Edge(self.path))), f"no edge at {self.path}: Connection refused"
        )

    def test_noEdgeThere(self) -> None:
        """
        Another server is no edge.
        """
        for answer in (b"+PONG\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b""):
            self.answering(answer)
            self.assertEqual(self.fails(Edge(self.path)).status, NO_EDGE)
            os.unlink(self.path)

    def test_refused(self) -> None:
        """
        What the edge says against a request is printed, and its kind is the
        exit status.
        """
        for status, expected in ((400, USAGE), (404, NOT_FOUND), (409, FAILED), (403, NO_EDGE)):
            body = b'{"error": "no\\u001b"}'
            head = b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            self.answering(head + body)
            failure = self.fails(Edge(self.path))
            self.assertEqual(failure.status, expected)
            self.assertTrue(str(failure).startswith("no\\x1b"), failure)
            os.unlink(self.path)

    def test_badURL(self) -> None:
        """
        What is no URL is reported.
        """
        for url in ("http://", "https://host:port/", "http://[::1"):
            self.assertEqual(self.assertRaises(Failure, Edge, url).status, USAGE)

    def test_paths(self) -> None:
        """
        A name can't reach beyond its place in a path.
        """
        self.assertEqual(pathOf("routes", "a/../b", "wake"), "/v1/routes/a%2F..%2Fb/wake")

    def test_pages(self) -> None:
        """
        A list is asked for page by page.
        """
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        asked: list[bytes] = []

        def serve() -> None:
            client, _ = listener.accept()
            with listener, client:
                for body in (b'{"routes": [1], "next": "a"}', b'{"routes": [2], "next": null}'):
                    asked.append(client.recv(65536).partition(b" HTTP")[0])
                    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
                    client.sendall(head + body)

        thread = Thread(target=serve)
        thread.start()
        edge = Edge(self.path)
        self.assertEqual(edge.all("/v1/routes", "routes"), [1, 2])
        edge.close()
        thread.join()
        first, second = asked
        self.assertEqual(first, b"GET /v1/routes?limit=1000")
        self.assertEqual(second, b"GET /v1/routes?limit=1000&after=a")
