"""
Tests of routes whose responses are compressed.
"""

from __future__ import annotations

import gzip
import random
import zlib

from brxy.edge.exchanges.gzip import MOST, GzipHTTP
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

_HTML = b"Content-Type: text/html"
_CHUNKED = b"Transfer-Encoding: chunked"


def get(fields: bytes = b"Accept-Encoding: gzip\r\n", host: bytes = b"a") -> bytes:
    """
    @return: a request.
    """
    return b"GET / HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host, fields)


def head(*fields: bytes) -> bytes:
    """
    @return: the head of a response.
    """
    return b"\r\n".join((b"HTTP/1.1 200 OK", _HTML, *fields, b"", b""))


def chunk(data: bytes) -> bytes:
    """
    @return: a chunk.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


@onBothTransports
class GzipTests(EdgeTests):
    """
    Tests of C{gzip = true}.
    """

    def serve(self, app: App) -> None:
        """
        Start an edge with two routes to an app, of which C{a} compresses.
        """
        address = self.startApp(app)
        settings = RouteSettings(gzip=True)
        self.launch(lambda order: address, routed=[RoutedHosts("a", ["a"], settings)])

    def tearDown(self) -> None:
        """
        Whatever happened, no place is taken any more.
        """
        self.assertEqual(GzipHTTP.count, 0)

    async def test_whole(self) -> None:
        """
        A response that comes at once has the length of what is sent, and an ETag that is weak.
        """
        body = b"<p>hello" * 1000
        self.serve(webApp(answer(body, fields=(_HTML, b'ETag: "1"'))))
        peer = await self.connect()
        for _ in range(2):
            peer.write(get())
            reply = await peer.answer()
            self.assertEqual(gzip.decompress(reply.body), body)
            self.assertEqual(reply[b"content-encoding"], b"gzip")
            self.assertEqual(reply[b"content-length"], b"%d" % len(reply.body))
            self.assertEqual((reply[b"etag"], reply[b"vary"]), (b'W/"1"', b"Accept-Encoding"))

    async def test_notWanted(self) -> None:
        """
        A client without gzip gets the response as it is, with Vary, and a route without
        C{gzip} does nothing.
        """
        body = b"<p>hello" * 1000
        self.serve(webApp(answer(body, fields=(_HTML,))))
        peer = await self.connect()
        for fields in (b"", b"Accept-Encoding: br\r\n", b"Accept-Encoding: gzip;q=0\r\n"):
            peer.write(get(fields))
            reply = await peer.answer()
            self.assertEqual((reply.body, reply[b"vary"]), (body, b"Accept-Encoding"))
            self.assertEqual(reply.values(b"content-encoding"), [])
        peer.write(get(host=b"b"))
        reply = await peer.answer()
        self.assertEqual((reply.body, reply.values(b"vary")), (body, []))
        old = b"GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
        self.assertEqual((await self.ask(old)).body, body)

    async def test_long(self) -> None:
        """
        A long body of any framing arrives as it was, and connections are kept.
        """
        body = random.Random(1).randbytes(300_000) + b"hello, " * 200_000
        length = head(b"Content-Length: %d" % len(body)) + body
        chunked = head(_CHUNKED) + chunk(body[:1]) + chunk(body[1:]) + b"0\r\nX: y\r\n\r\n"
        answers = iter((length, chunked, length))

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(next(answers))

        app = webApp(respond)
        self.serve(app)
        peer = await self.connect()
        for _ in range(3):
            peer.write(get())
            reply = await peer.answer()
            self.assertEqual(gzip.decompress(reply.body), body)
            self.assertEqual(reply[b"transfer-encoding"], b"chunked")
        self.assertEqual(len(app.peers), 1)

    async def test_untilClose(self) -> None:
        """
        A body that ends with the app's connection does not end the client's.
        """
        body = b"hello, " * 10_000

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(head(b"Connection: close") + body)
            peer.close()

        self.serve(webApp(respond))
        peer = await self.connect()
        for _ in range(2):
            peer.write(get())
            self.assertEqual(gzip.decompress((await peer.answer()).body), body)

    async def stream(self, kind: bytes) -> None:
        """
        Let an app send some parts, the next one when a client has read the last.
        """
        asked: list[Peer] = []

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n" % (kind, _CHUNKED))
            asked.append(peer)

        self.serve(webApp(respond))
        peer = await self.connect()
        peer.write(get())
        is_coded = bool((await peer.head()).values(b"content-encoding"))
        self.assertEqual(is_coded, kind != b"text/event-stream")
        unpacker = zlib.decompressobj(31)
        for part in (b"one\n", b"two\n", b"three\n"):
            asked[0].write(chunk(part))
            size = int(await peer.takeThrough(b"\r\n"), 16)
            data = (await peer.take(size + 2))[:-2]
            self.assertEqual(unpacker.decompress(data) if is_coded else data, part)
        asked[0].write(b"0\r\n\r\n")
        rest = await peer.takeThrough(b"0\r\n\r\n")
        self.assertEqual(rest == b"0\r\n\r\n", not is_coded)

    async def test_streamed(self) -> None:
        """
        What the app has sent can be read at once.
        """
        await self.stream(b"text/plain")

    async def test_events(self) -> None:
        """
        An event stream goes on as it is.
        """
        await self.stream(b"text/event-stream")

    async def test_head(self) -> None:
        """
        An answer to HEAD has no body, and the next request follows on the same connections.
        """

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(head(b"Content-Length: 5000"))

        app = webApp(respond)
        self.serve(app)
        peer = await self.connect()
        for _ in range(2):
            peer.write(get().replace(b"GET", b"HEAD"))
            reply = await peer.answer(b"HEAD")
            self.assertEqual(reply[b"content-encoding"], b"gzip")
            self.assertEqual(reply.values(b"content-length"), [])
        self.assertEqual(len(app.peers), 1)

    async def test_upgraded(self) -> None:
        """
        The bytes of a WebSocket pass unchanged.
        """

        async def respond(request: Message, peer: Peer) -> None:
            lines = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
            peer.write(lines + b"hello" * 1000)

        self.serve(webApp(respond))
        peer = await self.connect()
        fields = b"Upgrade: websocket\r\nConnection: upgrade\r\nAccept-Encoding: gzip\r\n"
        peer.write(get(fields))
        reply = await peer.head()
        self.assertEqual((reply.status, reply.values(b"content-encoding")), (101, []))
        self.assertEqual(await peer.take(5000), b"hello" * 1000)

    async def test_places(self) -> None:
        """
        Once a response needs no place any more, the next one can have it.
        """
        body = b"hello, " * 20_000
        self.serve(webApp(answer(body, fields=(_HTML,))))
        self.patch(GzipHTTP, "count", MOST - 1)
        peer = await self.connect()
        for _ in range(3):
            peer.write(get())
            self.assertEqual(gzip.decompress((await peer.answer()).body), body)
        self.assertEqual(GzipHTTP.count, MOST - 1)
        GzipHTTP.count = 0

    async def breakOff(self, bad: bytes) -> None:
        """
        Let an app begin a response, send what can't follow, and close.
        """

        async def respond(request: Message, peer: Peer) -> None:
            asked.append(peer)
            peer.write(head(_CHUNKED) + chunk(b"hello"))

        asked: list[Peer] = []
        self.serve(webApp(respond))
        peer = await self.connect()
        peer.write(get())
        await peer.head()
        asked[0].write(bad)
        asked[0].close()
        await peer.untilLost()
        self.assertFalse(peer.clean)
        self.assertFalse(bytes(peer.received).endswith(b"0\r\n\r\n"))

    async def test_broken(self) -> None:
        """
        A client sees that its app has closed too early.
        """
        await self.breakOff(b"")

    async def test_bad(self) -> None:
        """
        A client sees that its app has sent a chunk that is none.
        """
        await self.breakOff(b"no chunk\r\n")

    async def test_left(self) -> None:
        """
        A client that leaves ends the exchange.
        """

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(head(_CHUNKED) + chunk(b"hello"))

        app = webApp(respond)
        self.serve(app)
        peer = await self.connect()
        peer.write(get())
        await peer.head()
        self.assertEqual(GzipHTTP.count, 1)
        peer.abort()
        await app.peers[0].untilLost()

    async def test_full(self) -> None:
        """
        Beyond the most at once, a response goes on as it is.
        """
        body = b"<p>hello" * 1000
        self.serve(webApp(answer(body, fields=(_HTML,))))
        self.patch(GzipHTTP, "count", MOST)
        reply = await self.ask(get())
        self.assertEqual((reply.body, reply[b"vary"]), (body, b"Accept-Encoding"))
        GzipHTTP.count = 0

    async def test_slowReader(self) -> None:
        """
        A client that does not read stops its app.
        """
        piece = chunk(random.Random(2).randbytes(65536))
        sent: list[int] = []

        async def respond(request: Message, peer: Peer) -> None:
            peer.write(head(_CHUNKED))
            for _ in range(300):
                await peer.send(piece, 1)
                sent.append(1)
            peer.write(b"0\r\n\r\n")

        app = webApp(respond)
        self.serve(app)
        peer = await self.connect()
        peer.pause()
        peer.write(get())
        await self.soon(200)
        before = len(sent)
        await self.soon(50)
        self.assertLess(len(sent), 250)
        self.assertGreaterEqual(len(sent), before)
        peer.resume()
        reply = await peer.answer()
        self.assertEqual(len(gzip.decompress(reply.body)), 300 * 65536)


class NodeGzipTests(GzipTests):
    """
    The same with a node between edge and app.
    """

    spawner_type = NodeSpawner
