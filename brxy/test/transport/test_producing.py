"""
How a transport makes others slow down, and is slowed down: brxy's own as
Twisted's.
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
    @return: the data, piece by piece.
    """
    return (data[start : start + PIECE] for start in range(0, len(data), PIECE))


@implementer(IPushProducer)
class Push:
    """
    Notes what it is told, and has something for a transport.

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
        Write until told to pause.

        @return: what was written.
        """
        written = b""
        for piece in pieces(MUCH):
            self.transport.write(piece)
            written += piece
            if self.told[-1:] == ["pause"]:
                return written
        raise AssertionError("it was not told to pause")


@implementer(IPullProducer)
class Pull:
    """
    Produces what it has when asked to, and then unregisters.

    @param produced: is called with the transport after each time.
    @ivar asked: how often it was asked.
    @ivar stopped: nobody wants any more.
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
        It is to pause while there is no room, and to resume when there is.
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
        What one produces that heeds this arrives, and the connection is closed
        behind it.
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
        One that has unregistered is told nothing more, and another one may
        register.
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
        There is one at a time.
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
        It is to stop when the connection is lost, and at once if it already is.
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
    What a layer of TLS does otherwise: a streaming producer does not keep a
    connection open.
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
        Have a transport that closes while its producer is paused, and was told
        to resume then.

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
        A producer that was told to pause may then finish: the connection is lost
        behind what it writes.
        """
        server, producer, written = await self.fullAndClosing()
        producer.transport.write(b"last")
        await self.untilLost(server)
        self.assertReceived(server, written + b"last")

    async def test_closedByUnregistering(self) -> None:
        """
        Or once it unregisters.
        """
        server, producer, written = await self.fullAndClosing()
        producer.transport.unregisterProducer()
        await self.untilLost(server)
        self.assertReceived(server, written)


@everywhere(TCP, TCP6, UNIX, TLS, SECURED)
class PullingTests(TransportTests):
    """
    Tests of producers that are asked.
    """

    async def test_askedAgain(self) -> None:
        """
        It is asked again and again, and what it writes arrives.
        """
        client, server = await self.pair()
        have = [[piece] for piece in pieces(MUCH)]
        producer = Pull(client.transport, have[:])
        client.transport.registerProducer(producer, False)
        await self.untilReceived(server, MUCH)
        self.assertEqual((producer.asked, producer.stopped), (len(have), False))

    async def test_large(self) -> None:
        """
        It may write more than there is room for; it is asked again once that is
        sent.
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
        It is to stop when the connection is lost.
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
    What a layer of TLS does otherwise.
    """

    async def test_closing(self) -> None:
        """
        A connection that is to be closed is, once it has nothing more.
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
        It is asked about once a turn, however often it writes when it is.
        """
        # The poller has up to four turns in each of the reactor's, if one takes 0.5 ms.
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
        What comes while paused comes later, again and again.
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
        Being told of data one may pause and resume at once.
        """

        def both(protocol: Recorder) -> None:
            protocol.transport.pauseProducing()
            protocol.transport.resumeProducing()

        client, server = await self.pair(server=Recorder(data=both))
        client.transport.write(MUCH)
        await self.untilReceived(server, MUCH)

    async def test_end(self) -> None:
        """
        Data and an end that came while paused are told in their order.
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
    What of it a layer of TLS would blur.
    """

    async def test_fromTheStart(self) -> None:
        """
        One that pauses as it is made is told of nothing before it resumes.
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
        One that pauses as data come gets no more, not even when nothing new
        happens but that it resumes.
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
        Have one that is paused and watched, with something to read.

        @return: the other, it, and what is told.
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
        That the peer ends can be known nevertheless.
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
        And so can that it cuts the connection.
        """
        client, server, told = await self.hangUp()
        client.transport.abortConnection()
        await self.until(lambda: told)
        self.assertEqual((told, server.told), ([self.kind is not UNIX], ["made"]))
