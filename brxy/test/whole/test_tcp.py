"""
Tests of TCP through the edge: each connection is one exchange.
"""

from __future__ import annotations

from hashlib import md5
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from brxy.edge.config.limits import Limits
from brxy.interfaces import Address
from brxy.processes.ports import PORTS
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, echo
from brxy.test.support.loopback.spawning import NodeSpawner, TestSpawner

PIECE = bytes(range(256)) * 256
TIMES = 512
SIZE = len(PIECE) * TIMES
SUM = md5(PIECE * TIMES).hexdigest()

# 128 MiB, more than the kernel buffers of all connections on the way can hold, of which each
# may grow to tcp_rmem's 32 MiB and tcp_wmem's 4 MiB.
FLOOD_TIMES = 4 * TIMES
FLOOD_SUM = md5(PIECE * FLOOD_TIMES).hexdigest()


async def digest(peer: Peer) -> str:
    """
    Read to the end.

    @return: the checksum of the bytes.
    """
    seen = md5()
    while True:
        await peer.until(lambda: peer.ended or peer.received)
        seen.update(peer.received)
        if not peer.received:
            return seen.hexdigest()
        peer.received.clear()


@onBothTransports
class TCPTests(EdgeTests):
    """
    Tests of a TCP frontend.
    """

    def front(self, app: App | Address, **settings: Any) -> TestSpawner:
        """
        Start an edge with one TCP frontend.
        """
        return self.launch(
            app if isinstance(app, App) else lambda order: app,
            {"max_instances": 1},
            ports=[],
            frontends=[("db", LOOPBACK)],
            **settings,
        )

    async def test_clientFirst(self) -> None:
        """
        The client sends first, before there is any instance.
        """
        app = App(echo)
        spawner = self.front(app)
        peer = await self.connect()
        peer.write(b"hello")
        self.assertEqual(await peer.take(5), b"hello")
        peer.write(b"again")
        self.assertEqual(await peer.take(5), b"again")
        self.assertEqual([order.route for order in spawner.orders], ["db"])
        self.assertEqual(len(app.peers), 1)

    async def test_appFirst(self) -> None:
        """
        The app sends first.
        """

        async def greet(peer: Peer) -> None:
            peer.write(b"220 welcome\r\n")
            self.assertEqual(await peer.take(4), b"EHLO")

        self.front(App(greet))
        peer = await self.connect()
        self.assertEqual(await peer.take(13), b"220 welcome\r\n")
        peer.write(b"EHLO")
        self.assertEqual(await peer.untilEnd(), b"")
        self.assertTrue(peer.clean)

    async def test_clientEnds(self) -> None:
        """
        When the client half-closes, the app sees that. The app's answer
        arrives whole after it.
        """

        async def answer(peer: Peer) -> None:
            seen = await digest(peer)
            peer.write(seen.encode())
            await peer.send(PIECE, TIMES)

        self.front(App(answer))
        peer = await self.connect()
        peer.write(b"all I have")
        peer.end()
        self.assertEqual(await peer.take(32), md5(b"all I have").hexdigest().encode())
        peer.forget()
        self.assertEqual(await digest(peer), SUM)
        self.assertTrue(peer.clean)

    async def test_clientEndsHeld(self) -> None:
        """
        The app also sees the half-close of a client that ended before there
        was an instance, and its answer arrives whole.
        """
        spawner = self.front(App(echo))
        spawner.holding = True
        peer = await self.connect()
        peer.write(b"early")
        peer.end()
        await self.until(lambda: spawner.orders)
        await self.soon(20)
        spawner.release()
        self.assertEqual(await peer.untilEnd(), b"early")
        self.assertTrue(peer.clean)

    async def test_appEnds(self) -> None:
        """
        When the app half-closes, the client sees that. What the client sends
        after it arrives whole.
        """
        sums: list[str] = []

        async def ask(peer: Peer) -> None:
            peer.write(b"send it")
            peer.end()
            sums.append(await digest(peer))

        self.front(App(ask))
        peer = await self.connect()
        self.assertEqual(await peer.untilEnd(), b"send it")
        await peer.send(PIECE, TIMES)
        peer.end()
        await peer.untilLost()
        self.assertTrue(peer.clean)
        await self.until(lambda: sums)
        self.assertEqual(sums, [SUM])

    async def test_bothWays(self) -> None:
        """
        Many bytes pass in both directions at once.
        """
        self.front(App(echo))
        peer = await self.connect()
        sending = self.begin(self._sendAndEnd(peer))
        self.assertEqual(await digest(peer), SUM)
        await sending

    async def _flood(self, peer: Peer) -> None:
        await peer.send(PIECE, FLOOD_TIMES)
        peer.end()

    async def _sendAndEnd(self, peer: Peer) -> None:
        await peer.send(PIECE, TIMES)
        peer.end()

    async def test_slowApp(self) -> None:
        """
        An app that does not read stops the client, and nothing accumulates in
        between.
        """
        go: Deferred[None] = Deferred()
        sums: list[str] = []

        async def read(peer: Peer) -> None:
            peer.pause()
            await go
            peer.resume()
            sums.append(await digest(peer))

        self.front(App(read))
        peer = await self.connect()
        sending = self.begin(self._flood(peer))
        await self._untilStalled(peer)
        go.callback(None)
        await sending
        await self.until(lambda: sums)
        self.assertEqual(sums, [FLOOD_SUM])

    async def test_slowClient(self) -> None:
        """
        A client that does not read stops the app.
        """
        app = App(self._flood)
        self.front(app)
        peer = await self.connect()
        peer.pause()
        await self.until(lambda: app.peers)
        await self._untilStalled(app.peers[0])
        peer.resume()
        self.assertEqual(await digest(peer), FLOOD_SUM)

    async def _untilStalled(self, peer: Peer) -> None:
        """
        Wait until a sender makes no progress. If a process in between kept
        reading, the sender would continue.
        """
        await self.until(lambda: peer.full)
        sent = -1
        while sent != peer.sent:
            sent = peer.sent
            await deferLater(self.reactor, 0.1)
        self.assertLess(sent, SIZE * 3 // 4)

    async def test_leavesWhileHeld(self) -> None:
        """
        A client that closes while it is held, without having sent anything, is
        dropped at once, and so is one that resets. The app notices neither.
        """
        app = App(echo)
        spawner = self.front(app, limits=Limits(max_held=1))
        spawner.holding = True
        for leave in (Peer.end, Peer.abort):
            peer = await self.connect()
            await self.until(lambda: spawner.orders)
            await self.soon(20)
            leave(peer)
            await peer.untilLost()
        # There is room for one: a connection that is not held is cut off at once.
        peer = await self._connectHeld()
        spawner.release()
        peer.write(b"x")
        self.assertEqual(await peer.take(1), b"x")
        self.assertEqual(len(app.peers), 1)

    async def _connectHeld(self) -> Peer:
        while True:
            peer = await self.connect()
            await self.soon(20)
            if peer.lost is None:
                return peer

    async def test_clientAborts(self) -> None:
        """
        A reset passes from the client to the app.
        """
        app = App(echo)
        self.front(app)
        peer = await self.connect()
        peer.write(b"x")
        await peer.take(1)
        peer.abort()
        await self.until(lambda: app.peers[0].lost)
        self.assertFalse(app.peers[0].clean)

    async def test_appAborts(self) -> None:
        """
        A reset passes from the app to the client.
        """

        async def abort(peer: Peer) -> None:
            await peer.take(1)
            peer.abort()

        self.front(App(abort))
        peer = await self.connect()
        peer.write(b"x")
        await peer.untilLost()
        self.assertFalse(peer.clean)

    async def test_refused(self) -> None:
        """
        While the app refuses connections the client is held, and no byte that
        it sent is lost.
        """
        app = App(echo)
        # The kernel may not give this port to another process meanwhile.
        port = PORTS.take()
        self.addCleanup(PORTS.release, port)
        spawner = self.front(Address("127.0.0.1", port))
        peer = await self.connect()
        peer.write(b"patient")
        await self.until(lambda: spawner.instances)
        await deferLater(self.reactor, 0.3)
        self.assertIsNone(peer.lost)
        self.startApp(app, port)
        self.assertEqual(await peer.take(7), b"patient")

    async def test_tooLong(self) -> None:
        """
        A client that is held too long is cut off, because TCP has no error
        messages.
        """
        spawner = self.front(App(echo), hold_timeout=0.05)
        spawner.holding = True
        peer = await self.connect()
        await peer.untilLost()
        self.assertFalse(peer.clean)


@onBothTransports
class TCPTwoHopsTests(TCPTests):
    """
    Tests of a TCP frontend, with a node between edge and app.
    """

    spawner_type = NodeSpawner
