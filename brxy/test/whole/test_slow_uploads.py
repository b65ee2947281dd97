"""
Tests of clients whose request bodies come slowly: they hold no instance.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.edges import EdgeTests, onTLS
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner, TestSpawner

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a.example\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: Instances that take one exchange at a time.
SINGLE = {"capacity": 1}


def sized(length: int, *lines: bytes) -> bytes:
    """
    @return: the head of a POST with a body of this length.
    """
    more = b"".join(line + b"\r\n" for line in lines)
    return POST + more + b"Content-Length: %d\r\n\r\n" % length


def echoed() -> App:
    """
    @return: an app that answers with the body of each request.
    """

    async def respond(request: Message, peer: Peer) -> None:
        peer.write(answer(request.body))

    return webApp(respond)


@onBothTransports
class SlowUploadTests(EdgeTests):
    """
    Tests of bodies that are collected.
    """

    def start(self, app: App, limits: Limits | None = None, **settings: Any) -> TestSpawner:
        """
        Start an edge whose instances take one exchange at a time.
        """
        spawner = self.launch(app, SINGLE, limits=limits or Limits(), **settings)
        return spawner

    async def sendSlowly(self, *data: bytes) -> Peer:
        """
        @return: a client from which the edge has read this.
        """
        peer = await self.connect()
        peer.write(*data)
        await self.untilRead()
        return peer

    async def untilGot(self, app: App, end: bytes) -> None:
        """
        Wait until an app has got what ends with this.
        """
        await self.until(lambda: any(peer.received.endswith(end) for peer in app.peers))

    def waiting(self) -> tuple[int, int, int]:
        """
        @return: how many requests are collected, with how many bytes, and how many are held.
        """
        found = self.edge.parts.dispatch.snapshot()
        return found.collecting, found.collected, sum(found.held.values())

    async def test_startsNothing(self) -> None:
        """
        Ten clients in the midst of bodies have no instance started for them, and a request
        beside them is served by the only one.  When their bodies are complete they are served,
        too, and the app gets each request whole.
        """
        app = echoed()
        spawner = self.start(app, max_total=1)
        slow = [await self.sendSlowly(sized(60_000), b"x" * 100) for _ in range(10)]
        self.assertEqual((spawner.orders, self.waiting()), ([], (10, 1000, 0)))
        self.assertEqual((await self.ask(GET)).status, 200)
        self.assertEqual((len(spawner.orders), len(app.requests)), (1, 1))
        for peer in slow:
            peer.write(b"y" * 59_900)
        for peer in slow:
            self.assertEqual((await peer.answer()).body, b"x" * 100 + b"y" * 59_900)
        self.assertEqual((len(spawner.orders), self.waiting()), (1, (0, 0, 0)))

    async def test_oneByOne(self) -> None:
        """
        A body of single bytes is collected whole, and the connection is kept for the next
        request, which may come with the last byte.
        """
        app = echoed()
        self.start(app)
        peer = await self.connect()
        peer.write(sized(5))
        for byte in (b"a", b"b", b"c", b"d"):
            peer.write(byte)
            await self.untilRead()
        peer.write(b"e", sized(3), b"1", b"2")
        self.assertEqual((await peer.answer()).body, b"abcde")
        peer.write(b"3")
        self.assertEqual((await peer.answer()).body, b"123")

    async def test_chunked(self) -> None:
        """
        A chunked body is collected too, with its trailers, and reaches the app as it was.
        """
        app = echoed()
        spawner = self.start(app)
        peer = await self.sendSlowly(CHUNKED, b"5\r\nhello\r\n")
        self.assertEqual((spawner.orders, self.waiting()), ([], (1, 10, 0)))
        peer.write(b"3\r\nyou\r\n0\r\nX-Sum: 1\r\n\r\n")
        self.assertEqual((await peer.answer()).body, b"helloyou")
        self.assertTrue(app.requests[0].raw.endswith(b"3\r\nyou\r\n0\r\nX-Sum: 1\r\n\r\n"))

    async def test_longChunked(self) -> None:
        """
        A chunked body that proves to be too large to be collected streams from then on.
        """
        app = App(Peer.untilLost)
        spawner = self.start(app, Limits(request_buffer=1000))
        peer = await self.sendSlowly(CHUNKED, b"1f4\r\n" + b"x" * 500 + b"\r\n")
        self.assertEqual(spawner.orders, [])
        peer.write(b"1f4\r\n" + b"y" * 500 + b"\r\n")
        await self.untilGot(app, b"y\r\n")
        self.assertEqual(self.waiting(), (0, 0, 0))
        peer.write(b"1\r\nz\r\n")
        await self.untilGot(app, b"1\r\nz\r\n")

    async def test_streamed(self) -> None:
        """
        What is longer than C{request_buffer} streams from its first byte, as does everything
        without one, and what offers an upgrade.
        """
        upgrade = (b"Connection: upgrade", b"Upgrade: tcp")
        for limit, head in (
            (1000, sized(1001)),
            (0, sized(10)),
            (0, CHUNKED + b"1\r\n"),
            (1000, sized(10, *upgrade)),
        ):
            app = App(Peer.untilLost)
            spawner = self.start(app, Limits(request_buffer=limit))
            peer = await self.connect()
            peer.write(head, b"x")
            await self.untilGot(app, b"x")
            self.assertEqual(len(spawner.orders), 1)
            peer.abort()
            await self.edge.stopService()

    async def test_larger(self) -> None:
        """
        C{request_buffer} may be larger than what is read of other requests in advance.
        """
        app = echoed()
        spawner = self.start(app, Limits(request_buffer=1_000_000))
        body = b"0123456789" * 90_000
        peer = await self.sendSlowly(sized(len(body)), body[:700_000])
        self.assertEqual(spawner.orders, [])
        peer.write(body[700_000:])
        self.assertEqual((await peer.answer()).body, body)
        self.assertEqual((await self.ask(sized(len(body)) + body)).body, body)

    async def test_total(self) -> None:
        """
        When all bodies together have as many bytes as they may, the next ones stream; when they
        are gone, bodies are collected again.
        """
        app = echoed()
        spawner = self.start(app, Limits(request_buffer_total=1000))
        first = await self.sendSlowly(sized(2000), b"x" * 900)
        self.assertEqual((spawner.orders, self.waiting()), ([], (1, 900, 0)))
        second = await self.sendSlowly(sized(2000), b"x" * 100)
        await self.until(lambda: spawner.orders)
        first.abort()
        second.abort()
        await self.until(lambda: self.waiting()[1] == 0)
        self.assertEqual((await self.ask(GET)).status, 200)
        await self.sendSlowly(sized(2000), b"x" * 900)
        self.assertEqual(self.waiting(), (1, 900, 0))

    async def test_leaves(self) -> None:
        """
        A client that leaves before its body is complete, or only half-closes, is closed, and
        leaves nothing behind.
        """
        app = echoed()
        spawner = self.start(app)
        closes, ends = (
            await self.sendSlowly(sized(10), b"x"),
            await self.sendSlowly(sized(10), b"x"),
        )
        closes.abort()
        ends.end()
        self.assertEqual(await ends.untilEnd(), b"")
        await self.until(lambda: self.waiting() == (0, 0, 0))
        self.assertEqual(spawner.orders, [])

    async def test_invalid(self) -> None:
        """
        A body that can't be passed on is refused before an app sees any of it.
        """
        app = echoed()
        spawner = self.start(app, Limits(max_body=100))
        for rest, status in ((b"nonsense\r\n", 400), (b"60\r\n" + b"x" * 96 + b"\r\n", 413)):
            peer = await self.sendSlowly(CHUNKED, b"5\r\nhello\r\n")
            peer.write(rest)
            self.assertEqual((await peer.answer()).status, status)
        self.assertEqual((spawner.orders, self.waiting()), ([], (0, 0, 0)))

    async def test_stopping(self) -> None:
        """
        An edge that stops answers 503 to those that are still sending their bodies.
        """
        self.start(echoed())
        peer = await self.sendSlowly(sized(10), b"x")
        self.edge.stopService()
        self.assertEqual((await peer.answer()).status, 503)

    # Expect: 100-continue (RFC 9110 §10.1.1)

    async def test_continued(self) -> None:
        """
        The edge itself answers the expectation of a body that it collects, before there is any
        instance, and the app gets the request without it.
        """
        for framing, body in (
            (sized(5, b"expect:  100-Continue ,", b"X-After: 1"), b"hello"),
            (
                POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1\r\na\r\n0\r\n\r\n",
            ),
        ):
            app = echoed()
            spawner = self.start(app)
            peer = await self.connect()
            peer.write(framing)
            self.assertEqual((await peer.answer()).raw, CONTINUE)
            self.assertEqual(spawner.orders, [])
            peer.write(body)
            self.assertEqual((await peer.answer()).status, 200)
            self.assertEqual(app.requests[0].values(b"expect"), [])
            self.assertEqual(app.requests[0].values(b"x-after"), [b"1"] * (body == b"hello"))
            await self.edge.stopService()

    async def test_notContinued(self) -> None:
        """
        The edge sends no 100 if the whole body has come already, to a client of HTTP/1.0, or
        for a body that streams: those are left to the app.
        """
        app = echoed()
        self.start(app, Limits(request_buffer=1000))
        self.assertEqual((await self.ask(sized(2, b"Expect: 100-continue") + b"ab")).status, 200)
        old = sized(2, b"Expect: 100-continue").replace(b"HTTP/1.1", b"HTTP/1.0")
        peer = await self.sendSlowly(old, b"a")
        peer.write(b"b")
        self.assertEqual((await peer.answer()).status, 200)
        peer = await self.connect()
        peer.write(sized(1001, b"Expect: 100-continue"))
        await self.until(lambda: b"Length: 1001" in app.peers[-1].received)
        self.assertIn(b"\r\nExpect: 100-continue\r\n", app.peers[-1].received)
        self.assertEqual(peer.received, b"")


@onBothTransports
class SlowUploadTwoHopsTests(SlowUploadTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onTLS
class SlowUploadTLSTests(SlowUploadTests):
    """
    The same over TLS.
    """
