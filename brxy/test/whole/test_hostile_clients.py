"""
Tests of hostile clients. C{test_NN_…} tests line NN of C{doc/hostile.rst},
with the answer that is given there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, eventAsText
from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.edge.config.limits import Limits
from brxy.interfaces import Address
from brxy.test.support.loopback.crowds import MemoryClient, MemoryEdge
from brxy.test.support.loopback.edges import EdgeTests, spawnRule
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Broken, Message, Peer, answer, connect, webApp
from brxy.test.support.loopback.spawning import FrontedSpawner, NodeSpawner, TestSpawner
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.memory.hostile import PASSES, REFUSED_BODIES, REFUSED_HEADS, Hostile
from brxy.test.support.memory.network import FakeReactor
from brxy.test.support.processes.programs import ProgramTests

GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"

OPTIONS = b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: %b\r\n\r\n"

#: More than is read from a held client, and little enough for the kernel to accept it all: with
#: more the end of the connection would not arrive.
AHEAD = GET % (b"/" + b"x" * 100) * 800


def get(host: bytes, target: bytes = b"/") -> bytes:
    """
    @return: a request for a host.
    """
    return b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)


def passes(line: int) -> list[bytes]:
    """
    @return: the requests of a line that are served.
    """
    return [case.data for case in PASSES if case.line == line]


class LinesTests(SynchronousTestCase):
    """
    Tests that the tests and the page match.
    """

    def test_everyLine(self) -> None:
        """
        Each line of the page has a test, and each hostile request belongs to a
        line.
        """
        page = (Path(brxy.__file__).parents[1] / "doc" / "hostile.rst").read_text()
        lines = {int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)}
        classes = (RequestTests, LeavingTests, SlowTests, MuchTests)
        names = [name for each in classes for name in vars(each)]
        tested = {int(match[1]) for name in names if (match := re.match(r"test_(\d\d)_", name))}
        self.assertEqual(tested, lines)
        cases = (*REFUSED_HEADS, *REFUSED_BODIES, *PASSES)
        self.assertEqual({case.line for case in cases} - lines, set())


@onBothTransports
class RequestTests(EdgeTests):
    """
    Tests of requests that parsers could read in two ways, or that lead to a
    wrong place.
    """

    def setUp(self) -> None:
        super().setUp()
        self.app = webApp(answer())

    async def refused(self, line: int) -> None:
        """
        Each head of a line gets its status, and the connection ends. Nothing
        is started.
        """
        spawner = self.launch(webApp(answer()))
        cases = [case for case in REFUSED_HEADS if case.line == line]
        for case in cases:
            self.assertRefused(await self.talk(case.data), case)
            # Bytes after it on the same connection are not read as a request.
            self.assertRefused(await self.talk(case.data, get(b"a")), case)
        self.assertTrue(cases)
        self.assertEqual(spawner.orders, [])

    def assertRefused(self, reply: bytes, case: Hostile) -> None:
        """
        Check that this is one refusal, and that the connection has ended.
        """
        self.assertTrue(reply.startswith(b"HTTP/1.1 %d " % case.status), (case.name, reply))
        self.assertIn(b"\r\nConnection: close\r\n", reply, case.name)
        self.assertEqual(reply.count(b"HTTP/1.1 "), 1, case.name)

    async def served(self, data: bytes, app: App | None = None) -> Message:
        """
        Send a request that is served.

        @return: the request as the app received it.
        """
        app = self.app if app is None else app
        before = len(app.requests)
        self.assertEqual((await self.ask(data)).status, 200, data)
        [request] = app.requests[before:]
        return request

    async def test_01_lengthWithTransferEncoding(self) -> None:
        """
        Content-Length with Transfer-Encoding: 400.
        """
        await self.refused(1)

    async def test_02_contentLengths(self) -> None:
        """
        Two Content-Length fields, a list, a sign, hexadecimal, an empty value,
        or a number that is too large: 400.
        """
        await self.refused(2)

    async def test_03_transferEncodings(self) -> None:
        """
        A coding other than chunked: 501. Chunked with another coding, twice,
        or in HTTP/1.0: 400.
        """
        await self.refused(3)

    async def test_04_blanks(self) -> None:
        """
        A blank before the colon, a folded line, or one before the first field:
        400.
        """
        await self.refused(4)

    async def test_05_controlBytes(self) -> None:
        """
        Bare LF, bare CR, NUL and other control bytes: 400.
        """
        await self.refused(5)

    async def test_06_hosts(self) -> None:
        """
        No Host, two, or an invalid one: 400. An empty port is removed.
        """
        await self.refused(6)
        await self.edge.stopService()
        spawner = self.launch(self.app)
        for data in passes(6):
            request = await self.served(data)
            self.assertEqual((request[b"host"], request[b"x-forwarded-host"]), (b"a", b"a"))
        self.assertEqual([order.route for order in spawner.orders], ["a"])

    async def test_07_hostsForShells(self) -> None:
        """
        A name that a shell, or a program with options, would act upon: 400.
        """
        await self.refused(7)

    async def test_08_absoluteForm(self) -> None:
        """
        The authority of the target is the route and the app's Host. With
        userinfo in it: 400.
        """
        other = webApp(answer())
        spawner = self.launch({"a": other, "b": self.app})
        [data] = passes(8)
        request = await self.served(data)
        self.assertEqual((request[b"host"], request[b"x-forwarded-host"]), (b"b", b"b"))
        self.assertEqual(request.line, b"GET / HTTP/1.1")
        self.assertEqual([order.route for order in spawner.orders], ["b"])
        await self.edge.stopService()
        await self.refused(8)
        self.assertEqual(other.requests, [])

    async def test_09_targets(self) -> None:
        """
        CONNECT: 405. A fragment, a space, or no slash: 400. C{OPTIONS *}
        passes unchanged.
        """
        await self.refused(9)
        await self.edge.stopService()
        self.launch(self.app)
        [data] = passes(9)
        self.assertEqual((await self.served(data)).line, b"OPTIONS * HTTP/1.1")

    async def test_10_chunks(self) -> None:
        """
        Invalid sizes, no CRLF after a chunk, LF alone, and malformed extensions:
        400. If the app has received the head before, its connection is not used
        again. Otherwise no instance is started. Extensions with white space, about
        which parsers disagree, are removed.
        """
        await self.badBodies(10)
        [data] = passes(10)
        raw = (await self.served(data)).raw
        self.assertTrue(raw.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n"), raw)

    async def test_11_trailers(self) -> None:
        """
        A trailer that affects framing or routing is dropped. A malformed or an
        endless section is refused like a chunk.
        """
        await self.badBodies(11)
        [data] = passes(11)
        self.assertTrue((await self.served(data)).raw.endswith(b"\r\n\r\n0\r\n\r\n"))
        for name in (b"Transfer-Encoding", b"Host", b"Trailer", b"Via", b"X-Forwarded-For"):
            request = await self.served(data.replace(b"Content-Length", name))
            self.assertTrue(request.raw.endswith(b"\r\n\r\n0\r\n\r\n"), request.raw)

    async def badBodies(self, line: int) -> None:
        """
        Each body of a line is refused, whether it comes with its head or
        later, and whether it is collected or streams.
        """
        spawner = self.launch(webApp(answer()))
        cases = [case for case in REFUSED_BODIES if case.line == line]
        for case in cases:
            self.assertRefused(await self.talk(case.data), case)
            head, body = case.data.split(b"\r\n\r\n", 1)
            client = await self.connect()
            client.write(head + b"\r\n\r\n3\r\nabc\r\n")
            await self.untilRead()
            client.write(body)
            self.assertRefused(await client.untilEnd(), case)
        self.assertTrue(cases)
        self.assertEqual(spawner.orders, [])
        spawner = self.launch(self.app, limits=Limits(request_buffer=0))
        for case in cases:
            await self.badBody(case)
        self.assertEqual(len(spawner.orders), 1)

    async def badBody(self, case: Hostile) -> None:
        """
        A body is refused that comes when the app has received the head and a
        chunk.
        """
        self.assertEqual((await self.ask(get(b"a"))).status, 200)
        head, body = case.data.split(b"\r\n\r\n", 1)
        client = await self.connect()
        client.write(head + b"\r\n\r\n3\r\nabc\r\n")
        await self.until(lambda: any(b"\r\nabc" in peer.received for peer in self.app.open))
        [used] = [peer for peer in self.app.open if b"\r\nabc" in peer.received]
        requests = len(self.app.requests)
        client.write(body)
        self.assertRefused(await client.untilEnd(), case)
        await used.untilLost()
        self.assertEqual(len(self.app.requests), requests, case.name)

    async def test_12_versions(self) -> None:
        """
        No version: 400. Versions other than 1.0 and 1.1: 505. A TLS hello:
        400.
        """
        await self.refused(12)

    async def test_13_proxyProtocol(self) -> None:
        """
        The PROXY protocol on a port that does not expect it: 400.
        """
        await self.refused(13)

    async def test_14_sizes(self) -> None:
        """
        A long target: 414. A long field, or many: 431.
        """
        await self.refused(14)

    async def test_15_strippedFields(self) -> None:
        """
        Connection never removes fields that affect framing or routing. A field
        that CGI would take for such a field is not passed on.
        """
        self.launch(self.app)
        named, hidden = passes(15)
        self.assertEqual((await self.served(named))[b"host"], b"a")
        self.assertEqual((await self.served(hidden)).values(b"content_length"), [])
        for name in (b"Content-Length", b"content-length, close"):
            data = (POST % (b"/", 2))[:-2] + b"Connection: %b\r\n\r\nab" % name
            request = await self.served(data)
            self.assertEqual((request[b"content-length"], request.body), (b"2", b"ab"))

    async def test_16_h2c(self) -> None:
        """
        An upgrade to HTTP/2 in clear text is not passed on, and the response
        is HTTP/1.1.
        """
        self.launch(self.app)
        [data] = passes(16)
        request = await self.served(data)
        for name in (b"upgrade", b"http2-settings", b"connection"):
            self.assertEqual(request.values(name), [])

    async def test_18_pipelined(self) -> None:
        """
        Pipelined requests are answered in order, each by the app of its Host,
        although the first takes longest.
        """
        slow: Deferred[None] = Deferred()

        async def slowly(request: Message, peer: Peer) -> None:
            await slow
            peer.write(answer(b"slow"))

        apps = {
            "a.example": webApp(slowly),
            "b.example": webApp(answer(b"b")),
            "c.example": webApp(answer(b"c")),
        }
        spawner = self.launch(apps)
        warm = await self.ask(get(b"b.example", b"/warm"))
        self.assertEqual(warm.body, b"b")
        peer = await self.connect()
        hosts = (b"a.example", b"b.example", b"C.example:80", b"b.example.")
        peer.write(*(get(host, b"/%d" % n) for n, host in enumerate(hosts)))
        await self.until(lambda: apps["a.example"].requests)
        self.assertEqual(bytes(peer.received), b"")
        slow.callback(None)
        self.assertEqual([(await peer.answer()).body for _ in hosts], [b"slow", b"b", b"c", b"b"])
        self.assertEqual(apps["b.example"].targets(), [b"/warm", b"/1", b"/3"])
        self.assertEqual(apps["c.example"].targets(), [b"/2"])
        self.assertEqual(
            [order.route for order in spawner.orders], ["b.example", "a.example", "c.example"]
        )

    async def test_18_badBehindGood(self) -> None:
        """
        A bad request is answered after the good one before it, and the bytes
        after it are not read.
        """
        self.launch(self.app)
        data = await self.talk(GET % b"/", b"GET /\r\n\r\n", GET % b"/")
        self.assertEqual(data.count(b"HTTP/1.1 200 "), 1)
        self.assertLess(data.find(b"HTTP/1.1 200 "), data.find(b"HTTP/1.1 400 "))
        self.assertEqual(data.count(b"HTTP/1.1 "), 2)

    async def test_21_escaped(self) -> None:
        """
        Characters that a terminal or a browser would act upon are escaped in
        the log and in error pages.
        """
        spawner = self.launch(self.app)
        spawner.failure = "no such thing"
        with capturedLogs() as events:
            replies = [await self.talk(get(b"a\x1b[31m")), await self.talk(get(b"<script>"))]
            for target in (b"/<script>alert(1)</script>", b"/%0d%0aX:%20y", b"/%1b[31m"):
                # The request times out while it is held: the page is the edge's own.
                replies.append((await self.ask(get(b"a", target))).raw)
        for reply in replies:
            self.assertNotIn(b"script", reply)
            self.assertNotIn(b"\x1b", reply)
            self.assertEqual(reply.count(b"HTTP/1.1 "), 1)
        ours = [e for e in events if e.get("log_namespace", "").startswith("brxy.")]
        self.assertTrue(any("no such" in eventAsText(event) for event in ours))
        for event in ours:
            text = eventAsText(event, includeTimestamp=False, includeSystem=False)
            self.assertTrue(text.isprintable(), text)

    async def test_22_others(self) -> None:
        """
        An unknown expectation: 417. An invalid method, or blank lines without
        end: 400.
        """
        await self.refused(22)
        await self.edge.stopService()
        self.launch(self.app)
        for data in passes(22):
            await self.served(data)

    async def test_23_maxForwards(self) -> None:
        """
        An OPTIONS or TRACE with 0 in Max-Forwards goes no further: 200, or 405. What is no
        number, and a TRACE with a body: 400. A larger number is passed on as one less.
        """
        await self.refused(23)
        answers = await self.talk(OPTIONS % b"0"), await self.talk(OPTIONS % b"x")
        self.assertIn(b"\r\nAllow: GET, ", answers[0])
        self.assertNotIn(b"\r\nAllow: ", answers[1])
        await self.edge.stopService()
        self.launch(self.app)
        [data] = passes(23)
        request = await self.served(data)
        self.assertEqual((request.method, request[b"max-forwards"]), (b"OPTIONS", b"0"))


@onBothTransports
class RequestTwoHopsTests(RequestTests):
    """
    Tests of ambiguous requests, with a node between edge and app.
    """

    spawner_type = NodeSpawner


@onBothTransports
class LeavingTests(EdgeTests):
    """
    Tests of clients that hang up while they are held, or later.
    """

    async def gone(self, spawner: TestSpawner, app: App) -> None:
        """
        Check that the held client no longer counts: with room for one, another
        is held, and the app receives only the request of that one.
        """
        while True:
            peer = await self.connect()
            peer.write(GET % b"/other")
            await self.untilRead()
            if not peer.received:
                break
            self.assertEqual((await peer.answer()).status, 503)
        spawner.release()
        self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(app.targets(), [b"/other"])

    async def leave(self, data: bytes, leave: Callable[[Peer], None]) -> None:
        """
        Have a client send, be held, and leave.
        """
        app = webApp(answer())
        spawner = self.launch(app, {"max_instances": 1}, limits=Limits(max_held=1))
        spawner.holding = True
        peer = await self.connect()
        peer.write(data)
        await self.until(lambda: spawner.orders)
        await self.untilRead()
        leave(peer)
        await peer.untilLost()
        await self.gone(spawner, app)

    async def test_17_endWhileHeld(self) -> None:
        """
        A client that half-closes is dropped at once (a killed curl looks like
        that), and is never offered to an instance.
        """
        await self.leave(GET % b"/", Peer.end)

    async def test_17_resetWhileHeld(self) -> None:
        """
        A held client that resets its connection is dropped.
        """
        await self.leave(GET % b"/", Peer.abort)

    async def test_17_endOfPipelining(self) -> None:
        """
        A held client that half-closes is dropped, even if it has sent more
        requests ahead than the edge reads.
        """
        await self.leave(AHEAD, Peer.end)

    async def test_17_resetOfPipelining(self) -> None:
        """
        A held client that resets its connection is dropped, even if it has
        sent more requests ahead than the edge reads.
        """
        await self.leave(AHEAD, Peer.abort)

    async def test_17_endOfUpload(self) -> None:
        """
        A held client that half-closes is dropped during an upload that is
        larger than what the edge reads.
        """
        await self.leave(POST % (b"/", 900_000) + AHEAD, Peer.end)

    async def test_17_resetOfUpload(self) -> None:
        """
        A held client that resets its connection is dropped during an upload
        that is larger than what the edge reads.
        """
        await self.leave(POST % (b"/", 900_000) + AHEAD, Peer.abort)

    async def test_17_endBehindRequest(self) -> None:
        """
        With C{half-closed=serve} a client that half-closes right after its whole
        request gets its answer if an instance is free.
        """
        app = webApp(answer())
        self.launch(app, half_closed="serve")
        await self.ask(GET % b"/warm")
        for data in (GET % b"/", POST % (b"/", 5) + b"hello"):
            peer = await self.connect()
            peer.write(data)
            peer.end()
            self.assertEqual((await peer.answer()).body, b"ok")
            self.assertEqual(await peer.untilEnd(), b"")
            self.assertTrue(peer.clean)

    async def test_17_endAfterMatch(self) -> None:
        """
        With C{half-closed=serve} a client that half-closes while the app is at
        work gets its answer.
        """

        async def respond(request: Message, peer: Peer) -> None:
            client.end()
            await self.untilRead()
            peer.write(answer(b"still"))

        self.launch(webApp(respond), half_closed="serve")
        client = await self.connect()
        client.write(POST % (b"/", 5) + b"hello")
        self.assertEqual((await client.answer()).body, b"still")

    async def test_17_resetWhileRunning(self) -> None:
        """
        When the client resets its connection while the app is at work, the
        connection to the app breaks and is not used again.
        """
        await self.breakOff(GET % b"/", Peer.abort)

    async def test_17_endWhileRunning(self) -> None:
        """
        A client that half-closes while the app is at work has gone: the connection
        to the app breaks and is not used again.
        """
        await self.breakOff(GET % b"/", Peer.end)

    async def test_17_endBehindBody(self) -> None:
        """
        A client that half-closes after the body of its request has gone, too.
        """
        await self.breakOff(POST % (b"/", 5) + b"hello", Peer.end)

    async def test_17_endAheadOfAnswer(self) -> None:
        """
        A client that half-closes has gone, even if it has sent more requests ahead
        than the edge reads.
        """
        await self.breakOff(AHEAD, Peer.end)

    async def test_17_endsFreeTheApp(self) -> None:
        """
        Clients that have gone leave the whole app to those that come after them.
        """
        silent = 3

        async def respond(request: Message, peer: Peer) -> None:
            if len(app.requests) > silent:
                peer.write(answer())

        app = webApp(respond)
        self.launch(app, {"max_instances": 1, "capacity": silent})
        clients = [await self.connect() for _ in range(silent)]
        for client in clients:
            client.write(GET % b"/")
        await self.until(lambda: len(app.requests) == silent)
        for client in clients:
            client.end()
        self.assertEqual((await self.ask(GET % b"/")).body, b"ok")

    async def test_17_endInAnswer(self) -> None:
        """
        A client that half-closes in the middle of its response has gone: the app's
        connection breaks at once, even if the app has nothing to send. A response
        whose end is the end of the connection is not made to look complete.
        """
        for fields in (b"Content-Length: 99", b"Transfer-Encoding: chunked", b"Connection: close"):
            await self.breakOffInAnswer(fields)

    async def breakOffInAnswer(self, fields: bytes) -> None:
        """
        Have a client half-close when it has the beginning of a response.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n4\r\ndata\r\n" % fields)
            await peer.untilEnd()

        app = App(serve)
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        await self.until(lambda: b"data" in client.received)
        client.end()
        await client.untilLost()
        self.assertFalse(client.clean)
        await self.until(lambda: app.peers[0].lost is not None)
        self.assertFalse(app.peers[0].clean)
        await self.edge.stopService()

    async def test_17_endAndLost(self) -> None:
        """
        A request that is lost is not offered again if its client has gone. A
        half-closed client that is served gets 502.
        """

        async def respond(request: Message, peer: Peer) -> None:
            if request.target == b"/lost":
                client.end()
                if half_closed == "serve":
                    await self.untilRead()
                peer.abort()
            else:
                peer.write(answer())

        for half_closed in ("abort", "serve"):
            app = webApp(respond)
            self.launch(app, half_closed=half_closed)
            for _ in range(5):
                client = await self.connect()
                client.write(GET % b"/lost")
                received = await client.untilEnd()
                if half_closed == "serve":
                    self.assertIn(b" 502 ", received)
                await self.ask(GET % b"/")
            self.assertEqual(app.targets(), [b"/lost", b"/"] * 5)
            await self.edge.stopService()

    async def test_17_endOfTunnel(self) -> None:
        """
        Behind an upgrade, a half-close is passed on, and the other direction stays
        open.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
            )
            sent = await peer.untilEnd()
            peer.write(b"got " + sent)
            peer.close()

        self.launch(App(serve))
        client = await self.connect()
        client.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        await client.head()
        client.write(b"hello")
        client.end()
        self.assertEqual(await client.untilEnd(), b"got hello")

    async def test_17_leavesInBody(self) -> None:
        """
        When the client leaves in the middle of a request's body, the
        connection to the app breaks and is not used again, if the app has got
        any of it.
        """
        for leave in (Peer.abort, Peer.end):
            await self.breakOff(POST % (b"/", 1000) + b"x" * 500, leave)

    async def breakOff(self, data: bytes, leave: Callable[[Peer], None]) -> None:
        """
        Have a client leave when the app has received what it sent.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            if len(app.peers) == 1:
                leave(client)
            else:
                peer.write(answer())
            await peer.untilEnd()

        app = App(serve)
        self.launch(app, limits=Limits(request_buffer=0))
        client = await self.connect()
        client.write(data)
        await client.untilLost()
        await self.until(lambda: app.peers[0].lost)
        self.assertFalse(app.peers[0].clean)
        self.assertEqual((await self.ask(GET % b"/")).body, b"ok")
        self.assertEqual(len(app.peers), 2)

    async def test_17_resetInAnswer(self) -> None:
        """
        When the client resets its connection in the middle of the response,
        the app does not send the rest of it.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            await peer.send(b"x" * 65536, 100_000)

        app = App(serve)
        self.launch(app)
        client = await self.connect()
        client.write(GET % b"/")
        await client.take(1000)
        client.abort()
        await self.until(lambda: app.peers[0].lost is not None)


@onBothTransports
class LeavingTwoHopsTests(LeavingTests):
    """
    Tests of clients that hang up, with a node between edge and app.
    """

    spawner_type = NodeSpawner


class SlowTests(SynchronousTestCase):
    """
    Tests of slow clients, with a complete edge in memory.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.spawner = FrontedSpawner(self.reactor, lambda order: Address("127.0.0.1", 1))

    def launch(self, **settings: Any) -> None:
        """
        Start an edge in memory.
        """
        self.edge = MemoryEdge(self.reactor, spawnRule(self.spawner), **settings)
        self.addCleanup(self.edge.service.stopService)

    def second(self) -> None:
        """
        Let a second pass.
        """
        self.reactor.advance(1)
        self.edge.turn()

    def serve(self, client: MemoryClient) -> None:
        """
        Have the app answer a request that it has received.
        """
        self.edge.turn()
        while self.reactor.dialling():
            self.reactor.accept()
        self.edge.turn()
        for app in self.reactor.apps:
            if app.received:
                app.received.clear()
                app.end.write(answer())
        self.edge.turn()
        self.assertEqual(client.status, 200)

    def test_19_slowHeads(self) -> None:
        """
        Many clients send their heads byte by byte. All are cut off after 15 s
        with 408, and other clients are served meanwhile.
        """
        self.launch()
        crowd = [self.edge.ask(b"") for _ in range(tier(200, 1000))]
        head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        for second in range(14):
            for client in crowd:
                assert client.transport is not None
                client.transport.write(head[second : second + 1])
            self.second()
            self.serve(self.edge.ask(get(b"a")))
        self.assertEqual({client.status for client in crowd}, {0})
        for _ in range(6):
            self.second()
        self.assertEqual({client.status for client in crowd}, {408})
        self.assertTrue(all(client.ended for client in crowd))

    def test_20_randomHosts(self) -> None:
        """
        A scanner requests host after host: there are never more instances than
        C{--max-total}, and each client is rejected with a time after which to
        try again.
        """
        self.launch(max_total=3, hold_timeout=5.0, limits=Limits(wake_burst=0))
        self.spawner.holding = True
        for batch in range(tier(4, 40)):
            hosts = [b"h%d.example" % (500 * batch + number) for number in range(500)]
            clients = [self.edge.ask(get(host)) for host in hosts]
            for _ in range(6):
                self.second()
                self.assertLessEqual(len(self.spawner.alive), 3)
            self.assertEqual({client.status for client in clients}, {503})
            self.edge.forget()


@onBothTransports
class MuchTests(ProgramTests):
    """
    Tests of clients that send large bodies.
    """

    async def test_20_bodiesForColdApp(self) -> None:
        """
        Many clients upload 10 MB each to an app that does not start: the edge
        keeps only the beginning of each body.
        """
        number = tier(100, 500)
        edge = self.edge("--spawn", "app: -- sleep 1000")
        address = await self.address(edge)
        port = int(address.rpartition(":")[2])
        await self.get(address, "/", "..")
        before = _resident(edge.pid)
        peers = [await connect(self.reactor, Address("127.0.0.1", port)) for _ in range(number)]
        sending = []
        for peer in peers:
            peer.write(POST % (b"/", 10_000_000))
            upload = Deferred.fromCoroutine(peer.send(b"x" * 65536, 150))
            sending.append(upload.addErrback(lambda failure: failure.trap(Broken)))
        await self.until(lambda: all(peer.full for peer in peers))
        most = 0
        while (resident := _resident(edge.pid)) > most:
            most = resident
            await deferLater(self.reactor, 0.3)
        self.assertLess(most - before, number * 192 + 8192)
        for peer in peers:
            peer.abort()
        await gatherResults(sending)
        self.assertEqual((await self.get(address, "/", "..")).status, 400)
        await self.stopped(edge)


def _resident(pid: int) -> int:
    """
    @return: how much memory a process uses, in KiB.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None, "no VmRSS"
    return int(found[1])
