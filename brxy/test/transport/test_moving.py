"""
Tests of how L{brxy.transport.stream} moves incoming bytes to another
connection without reading them.
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
    A move that puts a header before each part, and never ends.

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
    A reactor that counts its timers.

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
    Base of tests of moving: from the server end of one connection to the
    server end of another.

    @ivar source: the connection that bytes are moved from.
    @ivar target: the connection that bytes are moved to.
    @ivar sender: the other end of the source.
    @ivar receiver: the other end of the target.
    @ivar overs: how many moves are finished.
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
        Begin to move this many bytes.
        """
        self.source.transport.moveTo(Move(self.target.transport, count, self.over))


class MovingTests(TwoConnectionsTests):
    """
    Tests that moved bytes arrive, and that a move stops where it should.
    """

    async def test_soMany(self) -> None:
        """
        The requested number of bytes arrives between what is written before
        and after. The bytes that follow go to the protocol.
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
        A move may begin in C{dataReceived}.
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
        Each part has its header.
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
        No more is moved than the target has room for.
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
        Nothing is moved from a source that is paused.
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
        When a move is stopped, the remaining bytes go to the protocol.
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
        A move can also be stopped while it waits for room.
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
        The protocol is notified of an end behind the moved bytes.
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
        Moved bytes are sent before the target is closed.
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
        When the target is lost, further bytes go to the protocol of the
        source, which is otherwise not affected.
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
    The same tests on Unix sockets.
    """

    kind = UNIX


class BreakingTests(TwoConnectionsTests):
    """
    Tests of failures during a move.
    """

    def setUp(self) -> None:
        super().setUp()
        self.counting = _CountingReactor(self.reactor)
        self.tested = EpollReactor(self.counting)

    async def test_reset(self) -> None:
        """
        A reset is reported to the protocol of the source.
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
        A write to the source's peer fails while bytes of the source wait for
        room. They wait without keeping the reactor busy, and are moved then.
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
        self.source.transport.write(b"to a lost peer")
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
        When the target's peer is gone the target is lost, and the source
        continues.
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
        The source's protocol fails when it is notified of its end. The source
        is lost and the target is not, although the source's last bytes were
        moved in an event of the target.
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
        Without a descriptor for a pipe exactly the requested bytes are copied,
        also if a pipe was used before.
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
        When no connection is left, no descriptors of pipes are left, either.
        """

        def count() -> int:
            return len(os.listdir("/proc/self/fd"))

        async def end() -> None:
            await self.finish()
            for made in (self.ports, self.protocols, self.connectors):
                made.clear()
            await self.turns()

        # Descriptors that Twisted opens only once are open after this.
        await self.pair()
        await end()
        # Objects of earlier tests would otherwise be collected meanwhile.
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
        The number of pipes in use is limited, whatever the limit of
        descriptors is. A pipe that is given back can be taken again.
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
