"""
Tests of hostile nodes, and of spawners that break their contract. See
C{doc/hostile.rst}.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.logger import LogLevel, capturedLogs, formatEvent

from brxy.edge.slots import node as slot
from brxy.interfaces import Gone, IInstance, SpawnOrder
from brxy.slots import framed
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Peer, answer, connect, webApp
from brxy.test.support.loopback.spawning import (
    FrontedInstance,
    FrontedSpawner,
    NodeSpawner,
    TestSpawner,
)
from brxy.wire.frames import (
    ACCEPT,
    DATA,
    DONE,
    END,
    GOAWAY,
    HELLO,
    NEWEST,
    OPEN,
    PING,
    PONG,
    READY,
    REFUSE,
    RESET,
    RETIRE,
    SPAWN,
    UNREADY,
    VERSION,
    WELCOME,
    dataFrames,
    frame,
)
from brxy.wire.greeting import Hello, Open

GET = b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n"

#: A valid frame of each kind.
GOOD = {
    HELLO: Hello(VERSION, "", "other", "bad", 1).encode(),
    WELCOME: frame(WELCOME, 0, b"{}"),
    NEWEST: frame(NEWEST, 0, b"\1"),
    RETIRE: frame(RETIRE),
    READY: frame(READY),
    UNREADY: frame(UNREADY),
    OPEN: frame(OPEN, 1, b"\1\0192.0.2.1"),
    ACCEPT: frame(ACCEPT, 1),
    REFUSE: frame(REFUSE, 1),
    DATA: dataFrames(1, b"x"),
    END: frame(END, 1),
    DONE: frame(DONE, 1, b"\1"),
    RESET: frame(RESET, 1),
    SPAWN: frame(SPAWN),
    GOAWAY: frame(GOAWAY),
    PING: frame(PING),
    PONG: frame(PONG),
}


class _Tests(EdgeTests):
    """
    Base of tests with an edge, and a good node of C{good.example}.
    """

    timeout = 30
    spawner_type: type[TestSpawner] = NodeSpawner

    def setUp(self) -> None:
        super().setUp()
        self.events = self.enterContext(capturedLogs())
        self.app = webApp(answer(b"good"))

    def warned(self) -> list[str]:
        """
        @return: the warnings and errors since the last call.
        """
        lines = [
            formatEvent(event)
            for event in self.events
            if event["log_level"] >= LogLevel.warn
            and event.get("log_namespace", "").startswith("brxy.")
        ]
        del self.events[:]  # type: ignore[attr-defined]
        return lines

    async def assertServes(self) -> None:
        """
        Check that other clients are served.
        """
        reply = await self.ask(GET % (b"/", b"good.example"))
        self.assertEqual((reply.status, reply.body), (200, b"good"))


@onBothTransports
class NodeTests(_Tests):
    """
    Tests of a node that is accepted, and then breaks the protocol.
    """

    async def launchGood(self, **settings: Any) -> None:
        """
        Start an edge that has a good node.
        """
        apps = {"good.example": self.app, "bad.example": webApp(answer(b"another"))}
        path = self.mktemp()
        self.spawner = self.launch(apps, token_file=path, **settings)
        self.token = Path(path).read_text().strip()
        await self.assertServes()

    async def dial(self, *first: bytes, **said: Any) -> Peer:
        """
        Have a node dial in, and send this.

        @param said: the fields of its HELLO, if it sends one.
        """
        node = await connect(self.reactor, self.edge.node_addresses[0])
        self.cutLater(node)
        if said:
            node.write(Hello(VERSION, self.token, **said).encode())
            self.assertEqual((await self.frame(node))[0], WELCOME)
        node.write(*first)
        return node

    async def evil(self, *first: bytes, instance: str = "evil") -> Peer:
        """
        Have a node dial in that serves C{bad.example}.
        """
        return await self.dial(*first, instance=instance, route="bad.example", capacity=1)

    async def frame(self, node: Peer) -> tuple[int, int, bytes]:
        """
        @return: the next frame from the edge.
        """
        kind, number, *length = await node.take(4)
        return kind, number, await node.take(length[0] << 8 | length[1])

    async def opened(self, node: Peer) -> bytes:
        """
        Wait until an exchange has begun, and take its head.
        """
        self.assertEqual((await self.frame(node))[0], OPEN)
        return (await self.frame(node))[2]

    async def assertDropped(self, node: Peer, why: str = "") -> None:
        """
        The edge closes the slot, with one line in the log that gives the
        reason.
        """
        await self._assertGone(node, r"bad\.example/\S+: closed a slot: ", why)

    async def assertRefused(self, node: Peer, why: str = "") -> None:
        """
        The edge refuses a node, with one line in the log that gives the
        reason.
        """
        await self._assertGone(node, r"refused a node from 127\.0\.0\.1: ", why)

    async def _assertGone(self, node: Peer, what: str, why: str) -> None:
        await node.untilEnd()
        [line] = self.warned()
        self.assertRegex(line, what)
        self.assertIn(why, line)
        await self.assertServes()
        self.assertEqual(self.warned(), [])

    async def test_longHello(self) -> None:
        """
        A HELLO of 1 MB is refused before it is read.
        """
        await self.launchGood()
        hello = b"\x01\x00\xff\xff" + b"x" * 1_000_000
        await self.assertRefused(await self.dial(hello), "HELLO is too long")
        text = b'{"version": 1, "instance": "%b"}' % (b"x" * 4000)
        await self.assertRefused(await self.dial(frame(HELLO, 0, text)), "HELLO")

    async def test_badHello(self) -> None:
        """
        A malformed HELLO, or one with invalid values, is refused.
        """
        await self.launchGood()
        for text in (
            b"{}",
            b"[" * 4000,
            b"null",
            b'{"version": 2}',
            self.hello(b'"instance": "a\\u001b", "route": "r", "capacity": 1'),
            self.hello(b'"instance": "a", "route": "r", "capacity": 1e9'),
            self.hello(b'"instance": "a", "route": "$(id)", "capacity": 1'),
            self.hello(b'"instance": "a", "route": "../r", "capacity": 1'),
        ):
            await self.assertRefused(await self.dial(frame(HELLO, 0, text)))

    def hello(self, said: bytes) -> bytes:
        """
        @return: a HELLO with the right token, and with these fields.
        """
        return b'{"version": 1, "token": "%b", %b}' % (self.token.encode(), said)

    async def test_notCurious(self) -> None:
        """
        The addresses of clients are sent only to a node that has requested
        them.
        """
        await self.launchGood()
        for asks in (False, True):
            said = {"instance": str(asks), "route": "bad.example", "capacity": 1}
            node = await self.dial(frame(READY), wants_client=asks, **said)
            peer = await self.connect()
            peer.write(GET % (b"/", b"bad.example"))
            kind, number, payload = await self.frame(node)
            self.assertEqual((kind, bool(Open.decode(payload).client)), (OPEN, asks))
            node.write(frame(ACCEPT, number), dataFrames(number, answer()))
            self.assertEqual((await peer.answer()).status, 200)
            node.abort()

    async def test_unknownFrames(self) -> None:
        """
        Frames of unknown types are breaches.
        """
        await self.launchGood()
        for kind in (0, *range(18, 256, 17), 255):
            await self.assertDropped(await self.evil(frame(kind)), "no type of frame")
            await self.assertRefused(await self.dial(frame(kind)), "no type of frame")

    async def test_beforeHello(self) -> None:
        """
        Any frame before HELLO is a breach.
        """
        await self.launchGood()
        for kind in GOOD.keys() - {HELLO}:
            await self.assertRefused(await self.dial(GOOD[kind]))

    async def test_outOfTurn(self) -> None:
        """
        Frames that only an edge may send, and frames of an exchange that has
        not begun, are breaches.
        """
        await self.launchGood()
        for kind in GOOD.keys() - {READY, UNREADY, SPAWN, PING, PONG}:
            await self.assertDropped(await self.evil(GOOD[kind]))
            await self.assertDropped(await self.evil(frame(READY), GOOD[kind]))

    async def test_dataWithoutOpen(self) -> None:
        """
        DATA of an exchange that never existed reaches no client.
        """
        await self.launchGood()
        for number in (1, 2, 255):
            poison = dataFrames(number, answer(b"poison"))
            await self.assertDropped(await self.evil(frame(READY), poison), "never was")

    async def test_outOfTurnInExchange(self) -> None:
        """
        After a breach during an exchange, the exchange is lost with the slot,
        and a POST gets 502.
        """
        await self.launchGood()
        accept = frame(ACCEPT, 1)
        for number, frames in enumerate(
            (
                [dataFrames(1, answer(b"poison"))],
                [frame(END, 1)],
                [accept, accept],
                [accept, frame(REFUSE, 1)],
                [accept, dataFrames(2, b"x")],
                [accept, GOOD[OPEN]],
                [accept, GOOD[DONE]],
                [accept, GOOD[HELLO]],
                [accept, frame(READY)],
                [frame(ACCEPT, 255)],
                [frame(200)],
            )
        ):
            node = await self.evil(frame(READY), instance=f"evil{number}")
            client = await self.connect()
            client.write(POST % (b"bad.example", 2) + b"ab")
            await self.opened(node)
            node.write(*frames)
            reply = await client.answer()
            self.assertEqual((reply.status, b"poison" in reply.raw), (502, False), frames)
            await node.untilEnd()
            self.assertEqual(len(self.warned()), 2)
        await self.assertServes()

    async def test_readyFlood(self) -> None:
        """
        Repeated READY is one breach, and the edge ignores everything after it.
        """
        await self.launchGood()
        node = await self.evil(frame(READY) * 100_000, frame(SPAWN))
        await self.assertDropped(node, "READY, which stands already")

    async def test_frameFloods(self) -> None:
        """
        The number of answers, and of lines in the log, that a node can cause
        is limited, also for a node that does not read the answers.
        """
        await self.launchGood()
        for flood in (frame(PING), frame(READY) + frame(UNREADY), frame(SPAWN)):
            node = await self.evil()
            node.pause()
            del self.events[:]  # type: ignore[attr-defined]
            node.write(flood * 50_000)
            await self.until(lambda: any("closed a slot" in str(each) for each in self.events))
            self.assertLess(len(self.events), 1000)
            node.resume()
            await self.assertDropped(node, f"more than {framed.FRAME_BUDGET} ")
            self.assertLess(len(node.received), 8 * framed.FRAME_BUDGET)

    async def test_neverAccepts(self) -> None:
        """
        A node that takes exchanges and does not respond loses them to another
        after a while, and gets no more. It serves again when it responds.
        """
        self.patch(slot, "ACCEPT_TIMEOUT", 1.0)
        # The time in which the node must release the exchange that it took.
        self.patch(framed, "RESET_TIMEOUT", 20.0)
        await self.launchGood()
        node = await self.dial(frame(READY), instance="evil", route="good.example", capacity=1)
        for _ in range(3):
            await self.assertServes()
        self.assertEqual(node.received.count(b"GET / "), 1)
        node.write(frame(RESET, 1))
        # It is the newest instance, so it is offered exchanges first.
        while node.received.count(b"GET / ") == 1:
            await self.assertServes()

    async def test_neverAnswers(self) -> None:
        """
        A node that accepts and sends nothing more: with C{--response-timeout}
        its client gets 504, and a slot that does not release the exchange is
        closed.
        """
        await self.launchGood(response_timeout=4.0)
        node = await self.evil(frame(READY))
        client = await self.connect()
        client.write(POST % (b"bad.example", 2) + b"ab")
        await self.opened(node)
        node.write(frame(ACCEPT, 1))
        self.assertEqual((await client.answer()).status, 504)
        await self.assertServes()
        self.assertIn(frame(RESET, 1), await node.untilEnd())
        await self.assertServes()

    async def test_stopsReading(self) -> None:
        """
        A node that accepts and stops reading delays only its own client, at a
        limited cost. The client can leave.
        """
        await self.launchGood()
        node = await self.evil(frame(READY))
        client = await self.connect()
        size = 200 << 20
        client.write(POST % (b"bad.example", size))
        await self.opened(node)
        node.write(frame(ACCEPT, 1))
        node.pause()
        sending = self.begin(client.send(b"x" * 65536, size >> 16))
        sending.addErrback(lambda _: None)
        await self.until(lambda: client.full)
        sent = -1
        while sent != client.sent:
            sent = client.sent
            await self.assertServes()
        self.assertLess(sent, size // 4)
        client.abort()
        await sending
        # The node does not answer RESET.
        node.resume()
        await node.untilEnd()
        await self.assertServes()

    async def test_endedEarly(self) -> None:
        """
        A node that reports its end in HELLO is let go. The report ends no instance that is
        ready, of another route, or of whose end the spawner will report.
        """
        await self.launchGood()
        [order] = self.spawner.orders
        for route in ("good.example", "bad.example"):
            said = Hello(VERSION, self.token, "n", route, 1, order.ticket, ended="exit status 0")
            await (await self.dial(said.encode())).untilEnd()
        self.spawner.holding = True
        peer = await self.connect()
        peer.write(GET % (b"/", b"bad.example"))
        await self.until(lambda: len(self.spawner.orders) == 2)
        ticket = self.spawner.orders[1].ticket
        said = Hello(VERSION, self.token, "n", "bad.example", 1, ticket, ended="exit status 0")
        await (await self.dial(said.encode())).untilEnd()
        self.assertEqual(self.warned(), [])
        self.spawner.release()
        self.assertEqual((await peer.answer()).status, 200)
        await self.assertServes()

    async def test_launchedAndEnded(self) -> None:
        """
        An instance of which only its node reports is gone at once: the start has failed, and
        the client gets 503.
        """
        await self.launchGood()
        self.spawner.holding = True
        peer = await self.connect()
        peer.write(GET % (b"/", b"bad.example"))
        await self.until(lambda: len(self.spawner.orders) == 2)
        launched = self.spawner.instances[1]
        launched.is_gone = True
        launched.gone.callback(Gone("exit status 0", detached=True))
        launched.over.callback(None)
        said = Hello(
            *(VERSION, self.token, "n", "bad.example", 1, self.spawner.orders[1].ticket),
            ended="exit status 0",
        )
        await (await self.dial(said.encode())).untilEnd()
        self.assertEqual((await peer.answer()).status, 503)
        [gone] = [line for line in map(formatEvent, self.events) if line and "gone: " in line]
        self.assertTrue(gone.endswith(": gone: exit status 0"), gone)
        await self.assertServes()

    async def test_foreignTicket(self) -> None:
        """
        A ticket that another instance has presented already is refused, and
        the first instance continues.
        """
        await self.launchGood()
        [order] = self.spawner.orders
        said = Hello(VERSION, self.token, "evil", "good.example", 1, order.ticket)
        await self.assertRefused(await self.dial(said.encode()), "ticket")
        # It is refused for another route as well.
        said = Hello(VERSION, self.token, "evil", "bad.example", 1, order.ticket)
        node = await self.dial(said.encode())
        self.assertEqual((await self.frame(node))[0], GOAWAY)
        await self.assertRefused(node, "it is for route good.example, not bad.example")


class _DeafInstance(FrontedInstance):
    """
    An instance that never becomes ready.
    """

    def start(self) -> None:
        """
        Do nothing.
        """


class _BadSpawner(FrontedSpawner):
    """
    A spawner that misbehaves with its first order, and works afterwards.

    @ivar raises: the exception to raise.
    @ivar again: return the instance of the order before once more.
    """

    raises: Exception | None = None
    again = False

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        if self.raises is not None:
            error, self.raises = self.raises, None
            raise error
        if self.again and self.instances:
            self.again = False
            return IInstance(self.instances[-1])
        return super().spawn(order)


@onBothTransports
class SpawnerTests(_Tests):
    """
    Tests of spawners that break their contract.
    """

    spawner_type = _BadSpawner

    async def recovers(self, retry_after: bytes) -> None:
        """
        A client that repeats its request after the given time is served.
        """
        reply = None
        while reply is None or reply.status == 503:
            await self.soon(20)
            reply = await self.ask(GET % (b"/", b"good.example"))
        self.assertEqual((reply.status, retry_after), (200, b"1"))

    async def test_neverReturns(self) -> None:
        """
        An instance that never becomes ready is given up, and its clients get
        503. A client that comes later is served by another instance.
        """
        spawner = self.launch(self.app, start_timeout=0.2)
        spawner.kind = _DeafInstance
        reply = await self.ask(GET % (b"/", b"good.example"))
        self.assertEqual(reply.status, 503)
        await self.until(lambda: not spawner.alive)
        self.assertEqual(spawner.instances[0].stops, 1)
        spawner.kind = FrontedInstance
        await self.recovers(reply[b"retry-after"])

    async def test_returnsTwice(self) -> None:
        """
        A spawner returns the same instance for two orders. One client is
        served by it, and the other order fails after its timeout.
        """
        spawner = self.launch(self.app, start_timeout=0.2)
        assert isinstance(spawner, _BadSpawner)
        spawner.again = True
        peers = [await self.connect() for _ in range(2)]
        for peer in peers:
            peer.write(GET % (b"/", b"good.example"))
        self.assertEqual([(await peer.answer()).status for peer in peers], [200, 200])
        await self.assertServes()

    async def test_raises(self) -> None:
        """
        A spawner that raises: its clients get 503, and a traceback in the log
        names the spawner.
        """
        spawner = self.launch(self.app)
        assert isinstance(spawner, _BadSpawner)
        spawner.raises = ZeroDivisionError("of the spawner's")
        reply = await self.ask(GET % (b"/", b"good.example"))
        self.assertEqual((reply.status, b"spawner" in reply.body), (503, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.recovers(reply[b"retry-after"])

    async def test_dies(self) -> None:
        """
        An instance ends before it serves, and another one while it serves.
        """
        spawner = self.launch(self.app)
        spawner.holding = True
        client = await self.connect()
        client.write(GET % (b"/", b"good.example"))
        await self.until(lambda: spawner.instances)
        spawner.instances[0].end("exit status 1")
        reply = await client.answer()
        self.assertEqual(reply.status, 503)
        spawner.release()
        await self.recovers(reply[b"retry-after"])
        spawner.instances[-1].end("killed by SIGKILL")
        await self.recovers(b"1")
