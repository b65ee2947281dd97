"""
Tests of L{brxy.transport.stream}: of what is its own.  What it has in common with
Twisted's transports is tested by L{brxy.test.transport.test_writing} and
L{brxy.test.transport.test_producing}.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import termios
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from brxy.test.support.loopback.leftovers import RealTests
from brxy.test.support.loopback.transports import (
    LITTLE,
    MUCH,
    TCP,
    TCP6,
    UNIX,
    TransportTests,
    everywhere,
    reset,
)
from brxy.test.support.memory.recorders import HalfRecorder, Recorder, fail, pause
from brxy.transport import poller
from brxy.transport.poller import Poller
from brxy.transport.stream import EVERYTHING, EpollTransport

#: What one connection is read at most before the others have their turn.
TURN = (16 + 256) * 1024


@everywhere(TCP, UNIX)
class FailingTests(TransportTests):
    """
    A protocol that fails loses its connection, and no other is harmed.
    """

    async def check(self, failing: Recorder, **hooks: Any) -> None:
        """
        Have one fail that is the server of one pair, beside another pair.
        """
        client, server = await self.pair()
        other, _ = await self.pair(HalfRecorder(**hooks), failing)
        other.transport.write(b"go")
        other.transport.loseWriteConnection()
        await self.untilLost(failing)
        self.assertEqual(failing.reason, ZeroDivisionError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.until(lambda: "readEnded" in other.told or other.reason)
        client.transport.write(b"hello")
        await self.untilReceived(server, b"hello")

    async def test_data(self) -> None:
        """
        It fails as data come.
        """
        await self.check(Recorder(data=fail))

    async def test_readEnd(self) -> None:
        """
        It fails as it is told of an end.
        """
        await self.check(HalfRecorder(readEnded=fail))

    async def test_writeEnd(self) -> None:
        """
        It fails as it is told of its own end.
        """

        def end(protocol: Recorder) -> None:
            protocol.transport.loseWriteConnection()

        await self.check(HalfRecorder(data=end, writeEnded=fail))


class FailingAloneTests(TransportTests):
    """
    Where Twisted's transport leaves a connection behind, or others are at stake.
    """

    kind = UNIX

    async def test_made(self) -> None:
        """
        One that fails as it is made loses its connection, at whichever end.
        """
        for client, server in (
            (Recorder(made=fail), Recorder()),
            (Recorder(), Recorder(made=fail)),
        ):
            await self.pair(client, server)
            await self.untilLost(client, server)
            failed = client if client.hooks else server
            self.assertEqual(failed.reason, ZeroDivisionError)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_againAndAgain(self) -> None:
        """
        One that fails even as it is told so takes nothing from those whose
        data came at the same time.
        """
        port = self.listen()
        socks = [self.rawClient(port.getHost()) for _ in range(9)]
        await self.until(lambda: len(self.protocols) == 9)
        failing, *others = self.protocols
        failing.hooks.update(data=fail, lost=fail)
        for sock in socks:
            sock.send(b"go")
        await self.until(lambda: all(each.received for each in others))
        self.assertEqual(failing.told, ["made", "data", "lost"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    async def test_settling(self) -> None:
        """
        Nor from those that close at the same time.
        """
        port = self.listen()
        socks = [self.rawClient(port.getHost()) for _ in range(3)]
        await self.until(lambda: len(self.protocols) == 3)
        self.protocols[0].hooks.update(lost=fail)
        for each in self.protocols:
            each.transport.loseConnection()
        await self.untilLost(*self.protocols)
        self.assertEqual([sock.recv(1) for sock in socks], [b""] * 3)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


def waiting(protocol: Recorder) -> int:
    """
    @return: how many bytes have come and were not read yet.
    """
    told = fcntl.ioctl(protocol.transport.fileno(), termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", told)[0])


class BrokenTests(TransportTests):
    """
    When a write fails, what had come before is still good.
    """

    async def breakOff(self, server: Recorder) -> int:
        """
        Have a peer send much and cut the connection in the same turn.

        @return: how many bytes are to be read.
        """
        port = self.listen(lambda: server)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
        sock = self.rawClient(port.getHost())
        await self.until(lambda: server.told)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for start in range(0, len(MUCH), 2**14):
                sock.send(MUCH[start : start + 2**14])
        reset(sock)
        return waiting(server)

    async def test_read(self) -> None:
        """
        It is read to its end, and then told as a loss.
        """
        server = Recorder()
        size = await self.breakOff(server)
        server.transport.write(b"to nobody")
        self.assertEqual(server.told, ["made"])
        await self.untilLost(server)
        self.assertReceived(server, MUCH[:size])
        self.assertEqual(server.reason, ConnectionLost)

    async def test_readOn(self) -> None:
        """
        So it is if the write fails as some of it is read, and what is written
        after that is ignored.
        """

        def write(protocol: Recorder) -> None:
            protocol.transport.write(b"to nobody")

        server = HalfRecorder(data=write)
        size = await self.breakOff(server)
        await self.untilLost(server)
        self.assertReceived(server, MUCH[:size])
        self.assertNotIn("readEnded", server.told)
        self.assertEqual(server.reason, ConnectionLost)

    async def test_paused(self) -> None:
        """
        One that is paused is told of the loss alone, as by Twisted.
        """
        server = Recorder(made=pause)
        await self.breakOff(server)
        server.transport.write(b"to nobody")
        self.assertEqual(server.told, ["made"])
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "lost"], ConnectionLost))

    async def test_pausing(self) -> None:
        """
        So is one that pauses as it reads.
        """
        server = Recorder(data=pause)
        await self.breakOff(server)
        server.transport.write(b"to nobody")
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "data", "lost"], ConnectionLost))

    async def test_oneWay(self) -> None:
        """
        A peer that only does not read any more is lost as well.
        """
        self.kind = UNIX
        sock, server = await self.dialled()
        sock.send(b"before")
        sock.shutdown(socket.SHUT_RD)
        server.transport.write(b"to nobody")
        await self.untilLost(server)
        self.assertReceived(server, b"before")
        self.assertEqual(server.reason, ConnectionLost)

    async def test_afterEnd(self) -> None:
        """
        That one cuts the connection who has ended is noticed without a write.
        """
        sock, server = await self.dialled(HalfRecorder())
        sock.shutdown(socket.SHUT_WR)
        await self.until(lambda: "readEnded" in server.told)
        reset(sock)
        await self.untilLost(server)
        self.assertEqual(server.reason, ConnectionLost)


@everywhere(TCP, TCP6)
class UrgentTests(TransportTests):
    """
    Urgent bytes cut a read short.
    """

    async def test_behind(self) -> None:
        """
        What comes behind them is read at once nevertheless.
        """
        sock, server = await self.dialled()
        for part, flags in ((b"one ", 0), (b"!", socket.MSG_OOB), (b"two", 0)):
            sock.send(part, flags)
        await self.untilReceived(server, b"one two")


class FairnessTests(TransportTests):
    """
    Nobody is kept waiting by somebody who has much.
    """

    async def flooded(self, server: Recorder) -> None:
        """
        Have somebody to whom more comes all the time, until the test has ended.
        """
        sock, _ = await self.dialled(server)

        def flood() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock.sendall(MUCH[: 2**20])

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(sock.shutdown, socket.SHUT_RDWR)

    async def test_timers(self) -> None:
        """
        Timers have their turn.
        """
        server = Recorder()
        await self.flooded(server)
        most = 0
        for _ in range(200):
            await self.turns(1)
            most = max(most, len(server.received))
            server.received.clear()
        self.assertLessEqual(most, TURN)

    async def test_others(self) -> None:
        """
        Others have theirs before somebody has three.
        """
        self.kind = UNIX
        read = asked = most = 0

        def echo(protocol: Recorder) -> None:
            nonlocal asked
            protocol.transport.write(protocol.received)
            protocol.received.clear()
            asked = 0

        sock, _ = await self.dialled(Recorder(data=echo))

        def ask(protocol: Recorder) -> None:
            nonlocal read, asked, most
            if asked:
                read += len(protocol.received)
                most = max(most, read)
            else:
                read = 0
                asked = sock.send(b"?")
            protocol.received.clear()

        self.kind = TCP
        await self.flooded(Recorder(data=ask))
        answered = 0
        while answered < 100:
            await self.turns(1)
            with contextlib.suppress(BlockingIOError):
                answered += len(sock.recv(100, socket.MSG_DONTWAIT))
        self.assertLessEqual(most, 2 * TURN)

    async def test_crowd(self) -> None:
        """
        So have timers while many have something, each as little as it be.
        """
        # To serve one takes 0.05 ms, and they are served for 2.
        looks = count()
        self.patch(poller, "monotonic", lambda: next(looks) * 5e-5)
        self.kind = UNIX
        port = self.listen(backlog=300)
        socks = [self.rawClient(port.getHost()) for _ in range(300)]
        await self.until(lambda: len(self.protocols) == 300)
        for sock in socks:
            sock.send(b"!")
        served = [0]
        while served[-1] < 300:
            await self.turns(1)
            served.append(sum(len(each.received) for each in self.protocols))
        steps = [after - before for before, after in zip(served, served[1:], strict=False)]
        self.assertLessEqual(max(steps), 41)
        self.assertLess(len(steps), 20)


class Pipe:
    """
    A pipe that a poller may serve.

    @ivar told: what it was told.
    @ivar failing: it fails when something happens.
    @ivar deaf: and when it is told so.
    """

    def __init__(self) -> None:
        self.ends = [*os.pipe2(os.O_NONBLOCK)]
        self.end, self.other = self.ends
        self.told: list[Any] = []
        self.failing = self.deaf = False

    def close(self) -> None:
        while self.ends:
            os.close(self.ends.pop())

    def happened(self, events: int) -> None:
        self.told.append(os.read(self.end, 100))
        if self.failing:
            raise ZeroDivisionError

    def settle(self) -> None:
        self.told.append("settle")
        if self.failing:
            raise ZeroDivisionError

    def failed(self, failure: Failure) -> None:
        self.told.append(failure.type)
        if self.deaf:
            raise LookupError


class PollerTests(RealTests):
    """
    Tests of L{Poller}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.poller = Poller(self.reactor)

    def pipes(self, number: int) -> list[Pipe]:
        """
        Serve so many.
        """
        made = [Pipe() for _ in range(number)]
        for each in made:
            self.addCleanup(each.close)
            self.poller.add(each.end, each, EVERYTHING)
            self.addCleanup(self.poller.remove, each.end)
        return made

    async def test_idle(self) -> None:
        """
        It is among the reactor's readers while it serves anybody, only then.
        """
        for _ in range(2):
            self.assertNotIn(self.poller, self.reactor.getReaders())
            self.assertEqual(self.poller.fileno(), -1)
            one, other = self.pipes(2)
            self.assertIn(self.poller, self.reactor.getReaders())
            self.poller.remove(one.end)
            self.poller.remove(one.end)
            self.assertIn(self.poller, self.reactor.getReaders())
            self.poller.remove(other.end)
        self.assertNotIn(self.poller, self.reactor.getReaders())

    async def test_failing(self) -> None:
        """
        One that fails is told so, and the others are served.
        """
        first, second, third = pipes = self.pipes(3)
        second.failing = True
        for each in pipes:
            os.write(each.other, b"!")
            self.poller.later(each)
        await self.until(lambda: len(third.told) > 1)
        self.assertEqual(sorted(map(str, first.told)), ["b'!'", "settle"])
        self.assertEqual(sorted(map(str, third.told)), ["b'!'", "settle"])
        self.assertEqual(second.told.count(ZeroDivisionError), 2)

    async def test_failingAgain(self) -> None:
        """
        The others are served even if it fails to hear of that.
        """
        first, second = self.pipes(2)
        first.failing = first.deaf = True
        for each in (first, second):
            self.poller.later(each)
        await self.until(lambda: second.told)
        for each in (first, second):
            os.write(each.other, b"!")
        await self.until(lambda: len(second.told) > 1)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 2)

    async def test_removed(self) -> None:
        """
        One that another one removes, as something happens on both, is not served.
        """
        one, other = pipes = self.pipes(2)
        removed = []

        def remove(by: Pipe, whom: Pipe) -> None:
            def happened(events: int) -> None:
                self.poller.remove(whom.end)
                removed.append(by)

            self.patch(by, "happened", happened)

        remove(one, other)
        remove(other, one)
        for each in pipes:
            os.write(each.other, b"!")
        await self.until(lambda: removed)
        self.assertEqual(len(removed), 1)

    async def test_number(self) -> None:
        """
        What happened on one that is closed is not told to who has its number now.
        """
        pipes = self.pipes(2)
        new: list[Pipe] = []

        def happened(events: int) -> None:
            for old in pipes:
                self.poller.remove(old.end)
                old.close()
            new.extend(self.pipes(2))

        for each in pipes:
            self.patch(each, "happened", happened)
            os.write(each.other, b"!")
        numbers = [each.end for each in pipes]
        await self.until(lambda: new)
        await deferLater(self.reactor, 0.01)
        self.assertEqual([each.end for each in new], numbers)
        self.assertEqual([each.told for each in new], [[], []])

    async def test_order(self) -> None:
        """
        However slow it is to serve them, each is served once, in the order of what
        happened.
        """
        milliseconds = count()
        self.patch(poller, "monotonic", lambda: next(milliseconds) / 1000)
        pipes = self.pipes(10)
        served: list[Pipe] = []
        for each in pipes:
            self.patch(each, "happened", lambda events, pipe=each: served.append(pipe))
            os.write(each.other, b"!")
        steps = []
        while len(served) < 10:
            await deferLater(self.reactor, 0)
            steps.append(len(served))
        self.assertGreater(len(steps), 4)
        await deferLater(self.reactor, 0.01)
        self.assertEqual(served, pipes)

    async def test_once(self) -> None:
        """
        However often one asks for a turn of its own, it gets one.
        """
        (one,) = self.pipes(1)
        for _ in range(3):
            self.poller.later(one)
        self.assertEqual(one.told, [])
        await self.until(lambda: one.told)
        self.assertEqual(one.told, ["settle"])


class TransportOfOwnTests(TransportTests):
    """
    Little things.
    """

    async def test_type(self) -> None:
        """
        Both ends are what the tests here are about.
        """
        for each in await self.pair():
            self.assertIs(type(each.transport), EpollTransport)

    async def test_together(self) -> None:
        """
        While something is served, writes wait until all others have been: then
        those of one connection go in one.
        """
        order: list[str] = []

        def answer(protocol: Recorder) -> None:
            order.append("read")
            for piece in (b"one", b"two", b"three"):
                protocol.transport.write(piece)

        def noted(send: Callable[[bytes], int], data: bytes) -> int:
            order.append(data.decode())
            return send(data)

        port = self.listen()
        socks = [self.rawClient(port.getHost()) for _ in range(3)]
        await self.until(lambda: len(self.protocols) == 3)
        for protocol in self.protocols:
            protocol.hooks["data"] = answer
            protocol.transport._send = partial(noted, protocol.transport._send)
        for sock in socks:
            sock.send(b"go")
        await self.until(lambda: len(order) == 6)
        self.assertEqual(order, ["read"] * 3 + ["onetwothree"] * 3)

    async def test_muchTogether(self) -> None:
        """
        Much is not kept for that, and the order is as it was written.
        """
        sock, server = await self.dialled()
        expected = b"first" + MUCH[: 2**20] + b"last"

        def answer(protocol: Recorder) -> None:
            for piece in (b"first", MUCH[: 2**20], b"last"):
                protocol.transport.write(piece)

        server.hooks["data"] = answer
        sock.send(b"go")
        received = await self.receive(sock, len(expected))
        self.assertEqual(received, expected)

    async def test_lastWords(self) -> None:
        """
        What is written before the end is found, in the same turn, is sent.
        """
        sock, server = await self.dialled()
        server.hooks["data"] = lambda protocol: protocol.transport.write(b"goodbye")
        sock.send(b"hello")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(await self.receive(sock, 7), b"goodbye")

    async def receive(self, sock: socket.socket, size: int) -> bytes:
        """
        Read so much.
        """
        received = bytearray()

        def receiveMore() -> bool:
            with contextlib.suppress(BlockingIOError):
                received.extend(sock.recv(size, socket.MSG_DONTWAIT))
            return len(received) >= size

        await self.until(receiveMore)
        return bytes(received)

    async def test_atOnce(self) -> None:
        """
        A short write is sent before it returns.
        """
        sock, server = await self.dialled()
        server.transport.write(LITTLE)
        sock.settimeout(30)
        self.assertEqual(sock.recv(len(LITTLE), socket.MSG_WAITALL), LITTLE)
