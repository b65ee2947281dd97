"""
Tests of L{brxy.edge.admin.server}, with honest clients and others.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.door import Door
from brxy.edge.admin.messages import Request, Response, Sink, asJSON
from brxy.edge.admin.reading import MAX_BODY
from brxy.edge.admin.server import MAX_CONNECTIONS, READ_TIMEOUT, REQUEST_TIMEOUT
from brxy.edge.admin.table import Endpoint
from brxy.errors import BadRequest
from brxy.http.fields import MAX_HEAD
from brxy.test.support.memory.admins import MemoryAdmin, ask


class _Stream:
    """
    A stream whose pieces the test sends.
    """

    content_type = "text/plain"
    sink: Sink
    stopped = False
    resumed = 0

    def start(self, sink: Sink) -> None:
        self.sink = sink

    def resume(self) -> None:
        self.resumed += 1

    def stop(self) -> None:
        self.stopped = True


class ServerTests(SynchronousTestCase):
    """
    Base of the tests: a server with a few handlers.

    @ivar waiting: what C{/later} returns.
    @ivar stream: what C{/stream} returns.
    @ivar seen: the requests that handlers got.
    """

    door: Door | None = None

    def setUp(self) -> None:
        self.waiting: Deferred[Any] = Deferred()
        self.stream = _Stream()
        self.seen: list[Request] = []
        self.admin = MemoryAdmin(
            [
                Endpoint("GET", "/ok", self.ok),
                Endpoint("POST", "/ok", self.ok),
                Endpoint("GET", "/open", self.ok, is_open=True),
                Endpoint("GET", "/hosts/{host}/x", self.ok),
                Endpoint("GET", "/later", lambda request: self.waiting),
                Endpoint("GET", "/soon", self.soon),
                Endpoint("GET", "/stream", lambda request: self.stream),
                Endpoint("GET", "/bad", self.bad),
                Endpoint("GET", "/broken", self.broken),
            ],
            self.door,
        )
        self.addCleanup(self.admin.server.abort)

    def ok(self, request: Request) -> Response:
        self.seen.append(request)
        return asJSON({"body": dict(request.body)})

    async def soon(self, request: Request) -> Response:
        return asJSON("soon")

    def bad(self, request: Request) -> Response:
        raise BadRequest(409, "not now")

    def broken(self, request: Request) -> Response:
        raise KeyError("no")

    def status(self, *data: bytes) -> int:
        """
        @return: the status that one client gets.
        """
        client = self.admin.send(*data)
        [status] = client.statuses
        return status


class HonestTests(ServerTests):
    """
    Requests that are served.
    """

    def test_response(self) -> None:
        """
        A response has its length, is not kept, and may not be embedded or read elsewhere.
        """
        client = self.admin.send(ask())
        head, _, body = bytes(client.received).partition(b"\r\n\r\n")
        self.assertEqual(json.loads(body), {"body": {}})
        for line in (
            b"Content-Length: %d" % len(body),
            b"Content-Type: application/json",
            b"Cache-Control: no-store",
            b"X-Content-Type-Options: nosniff",
            b"X-Frame-Options: DENY",
            b"Cross-Origin-Resource-Policy: same-origin",
            b"Connection: keep-alive",
        ):
            self.assertIn(line, head.split(b"\r\n"))
        self.assertNotIn(b"Access-Control", head)

    def test_request(self) -> None:
        """
        A handler gets path, parts, query, fields and body.
        """
        self.admin.send(ask("/hosts/%5b::1%5D/x?a=1&b=&a=2%20", Last_Event_ID="7"))
        self.admin.send(ask("/ok", "POST", {"min": 2}))
        first, second = self.seen
        self.assertEqual(first.parts, {"host": "[::1]"})
        self.assertEqual(first.query, {"a": "2 ", "b": ""})
        self.assertEqual(first.fields["last-event-id"], "7")
        self.assertEqual((second.method, second.body), ("POST", {"min": 2}))

    def test_inPieces(self) -> None:
        """
        A request may come byte by byte, and its body in chunks.
        """
        whole = ask("/ok", "POST", {"for": "10m"})
        self.assertEqual(self.status(*(bytes([each]) for each in whole)), 200)
        head = ask("/ok", "POST", Content_Type="application/json", Transfer_Encoding="chunked")
        self.assertEqual(self.status(head, b'8\r\n{"a": 1}\r\n', b"0\r\n\r\n"), 200)
        self.assertEqual(self.seen[-1].body, {"a": 1})

    def test_kept(self) -> None:
        """
        Requests that are sent ahead are answered one after another, in order.
        """
        client = self.admin.send(ask("/later") + ask("/ok") + ask("/soon"))
        self.assertEqual(client.statuses, [])
        self.waiting.callback(asJSON(1, 202))
        self.admin.settle()
        self.assertEqual(client.statuses, [202, 200, 200])
        self.admin.send(ask(Connection="close"), client=client)
        self.assertEqual(client.statuses, [202, 200, 200, 200])
        self.assertIn("readEnded", client.told)

    def test_head(self) -> None:
        """
        HEAD is answered as GET is, without a body.
        """
        client = self.admin.send(ask("/ok", "HEAD"))
        self.assertTrue(client.received.endswith(b"\r\n\r\n"))
        self.assertIn(b"Content-Length: 12\r\n", client.received)

    def test_expect(self) -> None:
        """
        A client that expects a 100 gets it before its body.
        """
        head, _, body = ask("/ok", "POST", {}, Expect="100-continue").partition(b"\r\n\r\n")
        client = self.admin.send(head + b"\r\n\r\n")
        self.assertEqual(client.statuses, [100])
        self.admin.send(body, client=client)
        self.assertEqual(client.statuses, [100, 200])

    def test_errors(self) -> None:
        """
        Without a handler, or for another method, the answer says so; so does one of a
        handler that refuses, or fails.
        """
        self.assertEqual(self.status(ask("/nothing")), 404)
        self.assertEqual(self.status(ask("/hosts/a/b/x")), 404)
        self.assertEqual(self.status(ask("/bad")), 409)
        client = self.admin.send(ask("/ok", "PUT"))
        self.assertEqual(client.statuses, [405])
        self.assertIn(b"\r\nAllow: GET, POST\r\n", client.received)
        self.assertEqual(self.status(ask("/broken")), 500)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_stream(self) -> None:
        """
        A stream is sent in chunks until it ends.
        """
        client = self.admin.send(ask("/stream"))
        self.stream.sink.write(b"one")
        self.stream.sink.write(b"")
        self.stream.sink.write(b"two")
        self.stream.sink.end()
        self.admin.settle()
        body = bytes(client.received).partition(b"\r\n\r\n")[2]
        self.assertEqual(body, b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
        self.assertFalse(self.stream.stopped)

    def test_gone(self) -> None:
        """
        When a client goes, its stream is stopped, and what it waits for is cancelled.
        """
        cancelled: list[object] = []
        self.waiting = Deferred(cancelled.append)
        for target in ("/stream", "/later"):
            client = self.admin.send(ask(target))
            client.end.abortConnection()
            self.admin.settle()
        self.assertTrue(self.stream.stopped)
        self.assertEqual(len(cancelled), 1)

    def test_halfClosed(self) -> None:
        """
        A client that half-closes gets the response that it waits for.
        """
        client = self.admin.send(ask("/later"))
        client.end.loseWriteConnection()
        self.admin.settle()
        self.waiting.callback(asJSON(1))
        self.admin.settle()
        self.assertEqual(client.statuses, [200])

    def test_leave(self) -> None:
        """
        When the edge stops, idle connections and streams end, and what is being done is
        answered.
        """
        idle, reader, later = (
            self.admin.connect(),
            self.admin.send(ask("/stream")),
            self.admin.send(ask("/later")),
        )
        self.admin.server.leave()
        self.admin.settle()
        self.assertIn("readEnded", idle.told)
        self.assertTrue(reader.received.endswith(b"0\r\n\r\n"))
        self.assertTrue(self.stream.stopped)
        self.waiting.callback(asJSON(1))
        self.admin.settle()
        self.assertIn(b"Connection: close", later.received)


class HostileTests(ServerTests):
    """
    Requests that are refused, and clients that take too much.
    """

    def test_host(self) -> None:
        """
        The Host must be localhost or an address: a name of another site could point here.
        """
        for host, status in (
            ("localhost:9900", 200),
            ("127.0.0.1", 200),
            ("[::1]:1", 200),
            ("evil.example", 403),
            ("localhost.evil.example", 403),
        ):
            self.assertEqual(self.status(ask(host=host)), status, host)
        self.assertEqual(self.status(b"GET /open HTTP/1.0\r\n\r\n"), 403)
        self.assertEqual(self.status(b"GET /open HTTP/1.1\r\n\r\n"), 400)

    def test_origin(self) -> None:
        """
        A page of another origin is refused, whatever it requests.
        """
        for origin, status in (
            ("http://localhost", 200),
            ("http://LOCALHOST", 200),
            ("https://localhost", 403),
            ("http://localhost:81", 403),
            ("http://evil.example", 403),
            ("null", 403),
        ):
            self.assertEqual(self.status(ask(Origin=origin)), status, origin)
            self.assertEqual(self.status(ask("/ok", "POST", {}, Origin=origin)), status, origin)
        twice = ask(Origin="http://localhost\r\nOrigin: http://evil.example")
        self.assertEqual(self.status(twice), 403)
        preflight = ask("/ok", "OPTIONS", Origin="http://evil.example")
        client = self.admin.send(preflight)
        self.assertNotIn(b"Access-Control", client.received)

    def test_forms(self) -> None:
        """
        What a form can send is no JSON, and refused; so is a POST that does not say what
        it is.
        """
        body = b'{"min": 1}'
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain"):
            head = ask("/ok", "POST", Content_Type=kind, Content_Length=str(len(body)))
            self.assertEqual(self.status(head + body), 415, kind)
        self.assertEqual(self.status(ask("/ok", "POST")), 415)
        kind = "application/json\r\nContent-Type: text/plain"
        self.assertEqual(self.status(ask("/ok", "POST", Content_Type=kind)), 415)
        kind = "Application/JSON; charset=utf-8"
        self.assertEqual(self.status(ask("/ok", "POST", Content_Type=kind)), 200)

    def test_bodies(self) -> None:
        """
        A body must be one JSON object of a moderate size.
        """
        for body in (b"{", b"[]", b"1", b"\xff", b"[" * 60000):
            fields = {"Content_Type": "application/json", "Content_Length": str(len(body))}
            self.assertEqual(self.status(ask("/ok", "POST", **fields) + body), 400, body[:9])
        fields["Content_Length"] = str(MAX_BODY + 1)
        self.assertEqual(self.status(ask("/ok", "POST", **fields)), 413)
        del fields["Content_Length"]
        head = ask("/ok", "POST", Transfer_Encoding="chunked", **fields)
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        self.assertEqual(self.status(head, chunk, chunk, chunk), 413)
        self.assertEqual(self.status(head, b"nonsense\r\n"), 400)

    def test_heads(self) -> None:
        """
        A head that is too large, or no HTTP, is refused.
        """
        self.assertEqual(self.status(ask(Long="x" * MAX_HEAD)), 431)
        self.assertEqual(self.status(b"\x16\x03\x01\x00\xa5\x01\r\n\r\n"), 400)
        self.assertEqual(self.status(ask("/ok?" + "a=1&" * 30)), 400)

    def test_slow(self) -> None:
        """
        A request must be complete in time, however often a byte comes; an idle connection
        is closed.
        """
        slow, idle = self.admin.send(b"GET "), self.admin.send(ask())
        for byte in b"/" + b"x" * int(REQUEST_TIMEOUT * 1.25):
            self.admin.send(bytes([byte]), client=slow)
            self.admin.wait(1)
        self.assertEqual(slow.statuses, [408])
        self.assertEqual(idle.statuses, [200])
        self.assertIn("readEnded", idle.told)

    def test_body(self) -> None:
        """
        So must its body.
        """
        head = ask("/ok", "POST", Content_Type="application/json", Content_Length="9")
        client = self.admin.send(head)
        self.admin.wait(REQUEST_TIMEOUT * 1.3)
        self.assertEqual(client.statuses, [408])

    def test_many(self) -> None:
        """
        There is a maximum of connections, and room again when one has left.
        """
        first, *_ = [self.admin.connect() for _ in range(MAX_CONNECTIONS)]
        self.assertEqual(self.status(ask()), 503)
        first.end.abortConnection()
        self.admin.settle()
        self.admin.wait(20)
        self.assertEqual(self.status(ask()), 200)

    def test_ahead(self) -> None:
        """
        Of what a client sends ahead while it waits, only some is read.
        """
        client = self.admin.send(ask("/later"))
        for _ in range(20):
            client.end.write(b"x" * 65536)
            self.admin.settle()
        self.assertGreater(len(client.end.other.pending()), 15 * 65536)

    def test_slowReader(self) -> None:
        """
        A reader that takes nothing is cut, and until then its stream knows that it should
        wait.
        """
        client = self.admin.connect(100)
        client.end.pauseProducing()
        self.admin.send(ask("/stream"), client=client)
        self.stream.sink.write(b"x" * 200)
        self.assertTrue(self.stream.sink.congested)
        self.admin.wait(READ_TIMEOUT * 1.3)
        self.assertTrue(self.stream.stopped)
        self.assertEqual(self.stream.resumed, 0)

    def test_resumed(self) -> None:
        """
        The stream of one that takes it later goes on.
        """
        client = self.admin.connect(100)
        client.end.pauseProducing()
        self.admin.send(ask("/stream"), client=client)
        self.stream.sink.write(b"x" * 200)
        client.end.resumeProducing()
        self.admin.settle()
        self.assertEqual(self.stream.resumed, 1)
        self.admin.wait(READ_TIMEOUT * 1.3)
        self.assertFalse(self.stream.stopped)


class TokenTests(ServerTests):
    """
    Tests of a port that needs a token.
    """

    door = Door("https", lambda: ["secret"], lambda host: host == "edge.example")

    def test_token(self) -> None:
        """
        Without the token, what is not open is refused.
        """
        for brought, status in (
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("Bearer secre", 401),
            ("Bearer secrets", 401),
            ("Bearer", 401),
            ("Basic secret", 401),
            ("Bearer secret\r\nAuthorization: Bearer secret", 401),
        ):
            self.assertEqual(self.status(ask(Authorization=brought)), status, brought)
        client = self.admin.send(ask())
        self.assertEqual(client.statuses, [401])
        self.assertIn(b"\r\nWWW-Authenticate: Bearer", client.received)
        self.assertEqual(self.status(ask("/open")), 200)

    def test_certified(self) -> None:
        """
        A name of its certificate is a valid Host, and its origin is over https.
        """
        for host, origin, status in (
            ("edge.example:9900", "https://edge.example:9900", 200),
            ("edge.example", "http://edge.example", 403),
            ("other.example", "https://other.example", 403),
        ):
            self.assertEqual(self.status(ask("/open", host=host, Origin=origin)), status)
