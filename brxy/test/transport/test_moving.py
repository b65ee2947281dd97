"""
Tests of L{brxy.transport.stream}: of moving what comes in to another connection, unread.
"""

from __future__ import annotations

import gc
import os
import resource
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.loopback.transports import LITTLE, MUCH, UNIX, TransportTests, reset
from brxy.test.support.memory.recorders import HalfRecorder, Recorder, fail, pause
from brxy.transport.epollreactor import EpollReactor
from brxy.transport.splice import Move, Pipes


class _Framed(Move):
    """
    Puts something before each part, and never ends.

    @ivar sizes: of the parts.
    """

    def __init__(self, target: Any) -> None:
        super().__init__(target, 0, lambda: None)
        self.sizes: list[int] = []

    def limit(self) -> int:
        return 100_000

    def head(self, count: int) -> bytes:
        self.sizes.append(count)
        return b"<%d>" % count

    def goesOn(self, count: int) -> bool:
        return True


class _CountingReactor:
    """
    A reactor.

    @ivar timers: how many were started.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self.timers = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def callLater(self, *call: Any) -> Any:
        self.timers += 1
        return self._reactor.callLater(*call)


class TwoConnectionsTests(TransportTests):
    """
    Base of tests of moving: from the server end of one connection to the server
    end of another.

    @ivar source: where it comes from.
    @ivar target: where it goes to.
    @ivar sender: the peer that sends.
    @ivar receiver: the peer that receives.
    @ivar overs: the number of moves that are over.
    """

    sender: Recorder
    source: Recorder
    target: Recorder
    receiver: Recorder

    def setUp(self) -> None:
        super().setUp()
        self.overs = 0

    def over(self) -> None:
        self.overs += 1

    async def connectAll(self, source: Recorder | None = None) -> None:
        """
        Make both connections.
        """
        self.sender, self.source = await self.pair(server=source)
        self.receiver, self.target = await self.pair()

    def move(self, count: int) -> None:
        """
        Begin to move.
        """
        self.source.transport.moveTo(Move(self.target.transport, count, self.over))


class MovingTests(TwoConnectionsTests):
    """
    What is moved arrives, and stops where it shall.
    """

    async def test_soMany(self) -> None:
        """
        So many bytes go where they shall, between what is written before and
        after; what follows them is for the protocol.
        """
        await self.connectAll()
        self.target.transport.write(b"before ")
        self.move(len(MUCH))
        self.sender.transport.write(MUCH + LITTLE)
        await self.untilReceived(self.source, LITTLE)
        self.assertEqual(self.overs, 1)
        self.target.transport.write(b" after")
        await self.untilReceived(self.receiver, b"before " + MUCH + b" after")

    async def test_fromWithin(self) -> None:
        """
        It may begin as data come.
        """

        def begin(protocol: Recorder) -> None:
            del protocol.hooks["data"]
            self.target.transport.write(protocol.received)
            self.move(len(MUCH) - len(protocol.received))
            protocol.received.clear()

        await self.connectAll(Recorder(data=begin))
        self.sender.transport.write(MUCH + LITTLE)
        await self.untilReceived(self.receiver, MUCH)
        await self.untilReceived(self.source, LITTLE)

    async def test_framed(self) -> None:
        """
        Each part has its head.
        """
        await self.connectAll()
        pause(self.receiver)
        move = _Framed(self.target.transport)
        self.source.transport.moveTo(move)
        self.sender.transport.write(MUCH)
        await self.turns(20)
        self.receiver.transport.resumeProducing()
        await self.until(lambda: sum(move.sizes) == len(MUCH))
        expected, at = b"", 0
        for size in move.sizes:
            expected += b"<%d>" % size + MUCH[at : at + size]
            at += size
        await self.untilReceived(self.receiver, expected)
        self.assertLessEqual(max(move.sizes), move.limit())

    async def test_slowReceiver(self) -> None:
        """
        No more is moved than there is room for.
        """
        await self.connectAll()
        pause(self.receiver)
        self.move(len(MUCH) * 2)
        self.sender.transport.write(MUCH * 2)
        self.sender.transport.loseConnection()
        await self.turns(50)
        self.assertIsNone(self.sender.reason)
        self.receiver.transport.resumeProducing()
        await self.untilReceived(self.receiver, MUCH * 2)
        self.assertEqual((self.source.received, self.overs), (b"", 1))
        await self.untilLost(self.source)
        self.assertEqual(self.source.reason, ConnectionDone)

    async def test_paused(self) -> None:
        """
        Nothing is moved of one that is paused.
        """
        await self.connectAll()
        pause(self.source)
        self.move(len(MUCH))
        self.sender.transport.write(MUCH)
        await self.turns()
        self.assertEqual(self.receiver.received, b"")
        self.source.transport.resumeProducing()
        await self.until(lambda: self.receiver.received)
        pause(self.source)
        await self.turns()
        self.source.transport.resumeProducing()
        await self.untilReceived(self.receiver, MUCH)

    async def test_stopped(self) -> None:
        """
        When it is stopped the rest is for the protocol.
        """
        await self.connectAll()
        self.move(len(MUCH))
        self.sender.transport.write(LITTLE)
        await self.untilReceived(self.receiver, LITTLE)
        self.source.transport.stopMoving()
        self.source.transport.stopMoving()
        self.sender.transport.write(b"rest")
        await self.untilReceived(self.source, b"rest")
        self.assertEqual(self.overs, 0)

    async def test_stoppedFull(self) -> None:
        """
        Even if it was waiting for room.
        """
        await self.connectAll()
        pause(self.receiver)
        self.move(2 * len(MUCH))
        self.sender.transport.write(MUCH)
        await self.turns(50)
        self.source.transport.stopMoving()
        await self.until(lambda: self.source.received)
        self.receiver.transport.resumeProducing()
        both = (self.receiver, self.source)
        await self.until(lambda: sum(len(each.received) for each in both) == len(MUCH))
        self.assertTrue(self.receiver.received + self.source.received == MUCH)

    async def test_end(self) -> None:
        """
        The protocol learns of an end behind what was moved.
        """
        await self.connectAll(HalfRecorder())
        self.move(2 * len(MUCH))
        self.sender.transport.write(MUCH)
        self.sender.transport.loseConnection()
        await self.until(lambda: "readEnded" in self.source.told)
        await self.untilReceived(self.receiver, MUCH)
        self.assertEqual((self.source.received, self.overs), (b"", 0))
        self.target.transport.loseConnection()
        await self.untilLost(self.receiver)
        self.assertEqual(self.receiver.reason, ConnectionDone)

    async def test_closing(self) -> None:
        """
        What was moved is sent before the connection is closed.
        """
        await self.connectAll()
        pause(self.receiver)
        self.move(len(MUCH))
        self.sender.transport.write(MUCH)
        await self.turns(50)
        self.target.transport.loseConnection()
        await self.turns()
        self.assertIsNone(self.target.reason)
        self.receiver.transport.resumeProducing()
        await self.untilLost(self.receiver, self.target)
        received = bytes(self.receiver.received)
        self.assertTrue(received and MUCH.startswith(received))
        self.assertEqual(self.receiver.reason, ConnectionDone)

    async def test_targetLost(self) -> None:
        """
        When the target is lost, what comes is for the protocol, and nothing else
        becomes of it.
        """
        await self.connectAll()
        pause(self.receiver)
        self.move(len(MUCH))
        self.sender.transport.write(MUCH)
        await self.turns(50)
        self.target.transport.abortConnection()
        await self.untilLost(self.target)
        await self.until(lambda: self.source.received.endswith(MUCH[-1000:]))
        self.assertTrue(MUCH.endswith(self.source.received))
        self.assertEqual((self.source.reason, self.overs), (None, 0))


class UNIXMovingTests(MovingTests):
    """
    The same on Unix sockets.
    """

    kind = UNIX


class BreakingTests(TwoConnectionsTests):
    """
    What happens when something breaks meanwhile.
    """

    def setUp(self) -> None:
        super().setUp()
        self.counting = _CountingReactor(self.reactor)
        self.tested = EpollReactor(self.counting)

    async def test_reset(self) -> None:
        """
        The protocol of the source learns of a reset.
        """
        await self.connectAll()
        self.move(len(MUCH))
        self.sender.transport.write(LITTLE)
        await self.untilReceived(self.receiver, LITTLE)
        self.sender.transport.abortConnection()
        await self.untilLost(self.source)
        self.assertEqual((self.source.reason, self.overs), (ConnectionLost, 0))

    async def test_brokenSource(self) -> None:
        """
        Bytes from a peer to which a write failed wait for room, without keeping the
        process busy, and are moved then.
        """
        receiver, target = await self.pair()
        pause(receiver)
        target.transport.write(MUCH)
        port = self.listen()
        sock = self.rawClient(port.getHost())
        await self.until(lambda: len(self.protocols) == 3)
        self.source, self.target = self.protocols[-1], target
        self.move(len(MUCH))
        sock.send(LITTLE)
        reset(sock)
        self.source.transport.write(b"to nobody")
        await self.turns()
        before = self.counting.timers
        await self.turns(100)
        self.assertLess(self.counting.timers - before, 10)
        self.assertIsNone(self.source.reason)
        receiver.transport.resumeProducing()
        await self.untilLost(self.source)
        await self.untilReceived(receiver, MUCH + LITTLE)
        self.assertEqual((self.source.reason, self.source.received), (ConnectionLost, b""))

    async def test_brokenTarget(self) -> None:
        """
        When the target takes nothing more it is lost, and the source goes on.
        """
        sender, self.source = await self.pair()
        port = self.listen()
        sock = self.rawClient(port.getHost())
        await self.until(lambda: len(self.protocols) == 3)
        self.target = self.protocols[-1]
        self.move(len(MUCH))
        reset(sock)
        sender.transport.write(MUCH[:-1] + b"!")
        await self.untilLost(self.target)
        await self.until(lambda: self.source.received[-1:] == b"!")
        self.assertEqual((self.target.reason, self.source.reason), (ConnectionLost, None))

    async def test_failing(self) -> None:
        """
        A source that fails when it learns of its end is lost, and the target is not,
        though the room for what came before was found there.
        """
        await self.connectAll(HalfRecorder(readEnded=fail))
        pause(self.receiver)
        self.move(2 * len(MUCH))
        self.sender.transport.write(MUCH)
        self.sender.transport.loseConnection()
        await self.turns(50)
        self.receiver.transport.resumeProducing()
        await self.untilLost(self.source)
        await self.untilReceived(self.receiver, MUCH)
        self.assertEqual((self.source.reason, self.target.reason), (ZeroDivisionError, None))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_noDescriptors(self) -> None:
        """
        Without descriptors for a pipe the bytes are copied, exactly as many, and so they
        are if there was a pipe before.
        """
        await self.connectAll()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        pause(self.receiver)
        self.move(len(MUCH))
        for limit in (free, soft, free):
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            self.sender.transport.write(MUCH[: len(MUCH) // 3])
            await self.turns()
        self.receiver.transport.resumeProducing()
        self.sender.transport.write(LITTLE)
        await self.untilReceived(self.receiver, MUCH[: len(MUCH) // 3] * 3)
        await self.untilReceived(self.source, LITTLE)
        self.assertEqual(self.overs, 1)

    async def test_nothingLeft(self) -> None:
        """
        No descriptors of pipes are left when no connection is left.
        """

        def count() -> int:
            return len(os.listdir("/proc/self/fd"))

        async def end() -> None:
            await self.finish()
            for made in (self.ports, self.protocols, self.connectors):
                made.clear()
            await self.turns()

        # What Twisted opens once is there after this.
        await self.pair()
        await end()
        # What earlier tests have left to the garbage collector would go meanwhile.
        gc.collect()
        before = count()
        await self.test_brokenSource()
        await end()
        self.assertEqual(count(), before)


class PipesTests(SynchronousTestCase):
    """
    Tests of L{Pipes}.
    """

    def test_most(self) -> None:
        """
        So many are in use at most, whatever the limit of descriptors is; one that is
        given back is for another.
        """
        pipes = Pipes()
        self.addCleanup(pipes.close)
        taken = [pipes.take() for _ in range(Pipes.MOST)]
        self.assertRaises(OSError, pipes.take)
        pipes.give(taken.pop())
        taken.append(pipes.take())
        self.assertRaises(OSError, pipes.take)
        for pipe in taken:
            pipes.give(pipe)
