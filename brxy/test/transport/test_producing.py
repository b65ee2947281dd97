"""
Tests of how a transport pauses producers, and is paused as a producer: brxy's
own and Twisted's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from brxy.reactor.hangup import HangupWatcher
from brxy.test.support.loopback.transports import (
    LITTLE,
    MUCH,
    SECURED,
    TCP,
    TCP6,
    TLS,
    UNIX,
    TransportTests,
    everywhere,
)
from brxy.test.support.memory.recorders import Recorder, pause
from brxy.transport import poller

PIECE = 2**16


def pieces(data: bytes) -> Iterator[bytes]:
    """
    @return: the data, in pieces.
    """
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


@implementer(IPushProducer)
class Push:
    """
    A producer that records its calls, and writes to a transport.

    @ivar told: C{pause}, C{resume}, C{stop}.
    """

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")

    def fill(self) -> bytes:
        """
        Write until the transport pauses this producer.

        @return: what was written.
        """
        written = b""
        for piece in pieces(MUCH):
            self.transport.write(piece)
            written += piece
            if self.told[-1:] == ["pause"]:
                return written
        raise AssertionError("the transport did not pause it")


@implementer(IPullProducer)
class Pull:
    """
    A pull producer that writes one piece for each call, and then unregisters.

    @param produced: is called with the transport after each piece.
    @ivar asked: how often the transport called it.
    @ivar stopped: the transport has stopped it.
    """

    def __init__(
        self,
        transport: Any,
        have: list[list[bytes]],
        produced: Callable[[Any], object] = lambda transport: None,
    ) -> None:
        self.transport = transport
        self.have = have
        self.produced = produced
        self.asked = 0
        self.stopped = False

    def resumeProducing(self) -> None:
        self.asked += 1
        for data in self.have.pop(0):
            self.transport.write(data)
        if not self.have:
            self.transport.unregisterProducer()
        self.produced(self.transport)

    def stopProducing(self) -> None:
        self.stopped = True


class FillingTests(TransportTests):
    """
    Base of tests with a transport that is full.
    """

    async def fill(self, producer: Push) -> bytes:
        """
        Have a producer write until neither its transport nor the kernel has
        room.

        @return: what was written.
        """
        written = b""
        while producer.told[-1:] != ["pause"]:
            written += producer.fill()
            await self.turns()
        return written


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class PushingTests(FillingTests):
    """
    Tests of streaming producers.
    """

    async def test_pausedAndResumed(self) -> None:
        """
        A producer is paused while there is no room, and resumed when there is.
        """
        client, server = await self.pair()
        producer = Push(client.transport)
        client.transport.registerProducer(producer, True)
        expected = b""
        for _ in range(3):
            pause(server)
            expected += await self.fill(producer)
            times = len(producer.told) // 2
            self.assertEqual(producer.told, ["pause", "resume"] * times + ["pause"])
            server.transport.resumeProducing()
            await self.untilReceived(server, expected)
            await self.until(lambda: producer.told[-1] == "resume")

    async def test_all(self) -> None:
        """
        Everything that a well-behaved producer writes arrives, and then the
        connection is closed.
        """
        client, server = await self.pair()
        left = pieces(MUCH)

        class Heeding(Push):
            def resumeProducing(self) -> None:
                self.told.clear()
                while not self.told:
                    piece = next(left, None)
                    if piece is None:
                        self.transport.unregisterProducer()
                        self.transport.loseConnection()
                        return
                    self.transport.write(piece)

        producer = Heeding(client.transport)
        client.transport.registerProducer(producer, True)
        producer.resumeProducing()
        await self.untilLost(client, server)
        self.assertReceived(server, MUCH)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_unregistered(self) -> None:
        """
        A producer that has unregistered gets no more calls, and another one
        may register.
        """
        client, server = await self.pair()
        pause(server)
        first, second = Push(client.transport), Push(client.transport)
        client.transport.registerProducer(first, True)
        client.transport.unregisterProducer()
        client.transport.registerProducer(second, True)
        second.fill()
        client.transport.unregisterProducer()
        server.transport.resumeProducing()
        client.transport.loseConnection()
        await self.untilLost(client, server)
        self.assertEqual((first.told, second.told), ([], ["pause"]))

    async def test_onlyOne(self) -> None:
        """
        A transport has at most one producer.
        """
        client, _ = await self.pair()
        first, second = Push(client.transport), Push(client.transport)
        client.transport.registerProducer(first, True)
        for streaming in (True, False):
            with self.assertRaises(RuntimeError):
                client.transport.registerProducer(second, streaming)
        self.assertEqual((first.told, second.told), ([], []))

    async def test_stopped(self) -> None:
        """
        A producer is stopped when the connection is lost, and at once if it
        already is.
        """
        client, server = await self.pair()
        producer = Push(client.transport)
        client.transport.registerProducer(producer, True)
        server.transport.abortConnection()
        await self.untilLost(client)
        self.assertEqual(producer.told, ["stop"])
        for streaming in (True, False):
            late = Push(client.transport)
            client.transport.registerProducer(late, streaming)
            self.assertEqual(late.told, ["stop"])
        client.transport.unregisterProducer()


@everywhere(TCP, TCP6, UNIX)
class ClosingWhilePushedTests(FillingTests):
    """
    Tests of behaviour that differs under TLS: a streaming producer does not
    keep a connection open.
    """

    async def test_lost(self) -> None:
        """
        The connection is lost when everything is sent, and the producer is
        stopped.
        """
        client, server = await self.pair()
        producer = Push(client.transport)
        client.transport.registerProducer(producer, True)
        client.transport.write(LITTLE)
        client.transport.loseConnection()
        await self.untilLost(client, server)
        self.assertReceived(server, LITTLE)
        self.assertEqual((producer.told, client.reason), (["stop"], ConnectionDone))

    async def fullAndClosing(self) -> tuple[Recorder, Push, bytes]:
        """
        Have a transport that closes while its producer is paused, and that has
        resumed the producer since.

        @return: the peer, the producer, and what it has written.
        """
        client, server = await self.pair()
        pause(server)
        producer = Push(client.transport)
        client.transport.registerProducer(producer, True)
        written = await self.fill(producer)
        client.transport.loseConnection()
        server.transport.resumeProducing()
        await self.untilReceived(server, written)
        await self.until(lambda: producer.told[-1] == "resume")
        await self.turns()
        self.assertIsNone(client.reason)
        return server, producer, written

    async def test_closedByLast(self) -> None:
        """
        A producer that was paused may then finish: the connection is lost
        after what it writes.
        """
        server, producer, written = await self.fullAndClosing()
        producer.transport.write(b"last")
        await self.untilLost(server)
        self.assertReceived(server, written + b"last")

    async def test_closedByUnregistering(self) -> None:
        """
        The connection is also lost once the producer unregisters.
        """
        server, producer, written = await self.fullAndClosing()
        producer.transport.unregisterProducer()
        await self.untilLost(server)
        self.assertReceived(server, written)


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class PullingTests(TransportTests):
    """
    Tests of pull producers.
    """

    async def test_askedAgain(self) -> None:
        """
        The producer is called again and again, and what it writes arrives.
        """
        client, server = await self.pair()
        have = [[piece] for piece in pieces(MUCH)]
        producer = Pull(client.transport, have[:])
        client.transport.registerProducer(producer, False)
        await self.untilReceived(server, MUCH)
        self.assertEqual((producer.asked, producer.stopped), (len(have), False))

    async def test_large(self) -> None:
        """
        The producer may write more than there is room for. It is called again
        once that is sent.
        """
        client, server = await self.pair()
        pause(server)
        producer = Pull(client.transport, [[MUCH], [MUCH, LITTLE], [LITTLE]])
        client.transport.registerProducer(producer, False)
        await self.turns()
        self.assertEqual(producer.asked, 1)
        server.transport.resumeProducing()
        await self.untilReceived(server, MUCH * 2 + LITTLE * 2)
        self.assertEqual(producer.asked, 3)

    async def test_stopped(self) -> None:
        """
        The producer is stopped when the connection is lost.
        """
        client, server = await self.pair()
        pause(server)
        producer = Pull(client.transport, [[MUCH], [MUCH]])
        client.transport.registerProducer(producer, False)
        await self.turns()
        server.transport.abortConnection()
        await self.untilLost(client)
        self.assertEqual((producer.asked, producer.stopped), (1, True))


@everywhere(TCP, TCP6, UNIX)
class PullingSocketTests(TransportTests):
    """
    Tests of pull producers that differ under TLS.
    """

    async def test_closing(self) -> None:
        """
        A connection that is closing closes once the producer has nothing more.
        """
        client, server = await self.pair()
        have = [[b"%d, " % number] for number in range(30)]
        producer = Pull(client.transport, have[:])
        client.transport.registerProducer(producer, False)
        client.transport.loseConnection()
        await self.untilLost(client, server)
        self.assertReceived(server, b"".join(piece for (piece,) in have))
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))

    async def test_measured(self) -> None:
        """
        The producer is called about once a turn, however often it writes in a
        call.
        """
        # The poller makes up to four rounds in each turn of the reactor if one takes 0.5 ms.
        looks = count()
        self.patch(poller, "monotonic", lambda: next(looks) * 5e-4)
        client, server = await self.pair()
        producer = Pull(client.transport, [[b"one", b"two", b"three"]] * 1000)
        client.transport.registerProducer(producer, False)
        await self.turns(20)
        self.assertLess(producer.asked, 4 * 50)
        client.transport.unregisterProducer()
        client.transport.loseConnection()
        await self.untilLost(client, server)
        self.assertReceived(server, b"onetwothree" * producer.asked)


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class PausingTests(TransportTests):
    """
    Tests of C{pauseProducing} and C{resumeProducing}.
    """

    async def test_heldBack(self) -> None:
        """
        Data that arrive while the transport is paused are delivered later,
        each time.
        """
        client, server = await self.pair()
        for times in (1, 2, 3):
            pause(server)
            client.transport.write(LITTLE)
            await self.turns()
            self.assertEqual(len(server.received), (times - 1) * len(LITTLE))
            server.transport.resumeProducing()
            await self.untilReceived(server, LITTLE * times)

    async def test_within(self) -> None:
        """
        A protocol may pause and resume in C{dataReceived}.
        """

        def both(protocol: Recorder) -> None:
            protocol.transport.pauseProducing()
            protocol.transport.resumeProducing()

        client, server = await self.pair(server=Recorder(data=both))
        client.transport.write(MUCH)
        await self.untilReceived(server, MUCH)

    async def test_end(self) -> None:
        """
        Data and an end that arrived during the pause are delivered in order.
        """
        client, server = await self.pair()
        pause(server)
        client.transport.write(LITTLE)
        client.transport.loseConnection()
        await self.turns()
        self.assertEqual(server.told[-1], self.kind.ready)
        server.transport.resumeProducing()
        await self.untilLost(client, server)
        self.assertReceived(server, LITTLE)
        self.assertEqual((client.reason, server.reason), (ConnectionDone, ConnectionDone))


@everywhere(TCP, TCP6, UNIX)
class PausedSocketTests(TransportTests):
    """
    Tests of pausing whose results are less exact under TLS.
    """

    async def test_fromTheStart(self) -> None:
        """
        A protocol that pauses in C{connectionMade} gets no data before it
        resumes.
        """
        client, server = await self.pair(server=Recorder(made=pause))
        client.transport.write(LITTLE)
        client.transport.loseConnection()
        await self.untilLost(client)
        await self.turns()
        self.assertEqual(server.told, ["made"])
        server.transport.resumeProducing()
        await self.untilLost(server)
        self.assertReceived(server, LITTLE)

    async def test_atOnce(self) -> None:
        """
        A protocol that pauses in C{dataReceived} gets no more data until it
        resumes, even if nothing new arrives then.
        """
        client, server = await self.pair(server=Recorder(data=pause))
        client.transport.write(MUCH[: 2**20])
        client.transport.loseConnection()
        await self.until(lambda: server.received)
        await self.turns()
        self.assertEqual(server.told, ["made", "data"])
        server.hooks.clear()
        server.transport.resumeProducing()
        await self.untilLost(server)
        self.assertReceived(server, MUCH[: 2**20])

    async def hangUp(self) -> tuple[Recorder, Recorder, list[bool]]:
        """
        Make a connection that is paused and watched, with unread bytes.

        @return: its peer, the connection, and a list of its reports.
        """
        watcher = HangupWatcher(self.reactor)
        self.addCleanup(watcher.stop)
        told: list[bool] = []
        client, server = await self.pair()
        pause(server)
        watcher.watch(server.transport.fileno(), told.append)
        client.transport.write(LITTLE)
        await self.turns()
        return client, server, told

    async def test_end(self) -> None:
        """
        A paused and watched connection reports that the peer ends.
        """
        client, server, told = await self.hangUp()
        self.assertEqual(told, [])
        client.transport.loseWriteConnection()
        await self.until(lambda: told)
        self.assertEqual((told, server.told), ([False], ["made"]))
        server.transport.resumeProducing()
        await self.untilLost(server)
        self.assertReceived(server, LITTLE)

    async def test_cut(self) -> None:
        """
        A paused and watched connection reports that the peer resets it.
        """
        client, server, told = await self.hangUp()
        client.transport.abortConnection()
        await self.until(lambda: told)
        self.assertEqual((told, server.told), ([self.kind is not UNIX], ["made"]))
