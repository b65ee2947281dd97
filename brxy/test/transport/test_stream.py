"""
Tests of what is peculiar to L{brxy.transport.stream}. What it has in common
with Twisted's transports is tested by L{brxy.test.transport.test_writing} and
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

#: The maximum that is read from one connection before the others have their turn.
TURN = (16 + 256) * 1024


@everywhere(TCP, UNIX)
class FailingTests(TransportTests):
    """
    Tests of protocols that fail: each loses its connection, and no other is
    affected.
    """

    async def check(self, failing: Recorder, **hooks: Any) -> None:
        """
        Have the server of one pair fail, beside another pair.
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
        The protocol fails in C{dataReceived}.
        """
        await self.check(Recorder(data=fail))

    async def test_readEnd(self) -> None:
        """
        The protocol fails when it is notified of the peer's end.
        """
        await self.check(HalfRecorder(readEnded=fail))

    async def test_writeEnd(self) -> None:
        """
        The protocol fails when it is notified of its own end.
        """

        def end(protocol: Recorder) -> None:
            protocol.transport.loseWriteConnection()

        await self.check(HalfRecorder(data=end, writeEnded=fail))


class FailingAloneTests(TransportTests):
    """
    Tests of failures after which Twisted's transport leaves a connection
    behind, or that could affect other connections.
    """

    kind = UNIX

    async def test_made(self) -> None:
        """
        A protocol that fails in C{connectionMade} loses its connection, at
        either end.
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
        A protocol that fails, and fails again when it is notified of the loss,
        does not keep data from other connections that arrived at the same
        time.
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
        A protocol that fails when it is notified of its loss does not affect
        connections that close at the same time.
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
    @return: how many bytes have arrived and were not read yet.
    """
    told = fcntl.ioctl(protocol.transport.fileno(), termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", told)[0])


class BrokenTests(TransportTests):
    """
    Tests of a failed write: bytes that arrived before it are still delivered.
    """

    async def breakOff(self, server: Recorder) -> int:
        """
        Have a peer send many bytes and reset the connection in the same turn.

        @return: how many bytes can be read.
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
        All bytes are delivered, and then the loss is reported.
        """
        server = Recorder()
        size = await self.breakOff(server)
        server.transport.write(b"to a lost peer")
        self.assertEqual(server.told, ["made"])
        await self.untilLost(server)
        self.assertReceived(server, MUCH[:size])
        self.assertEqual(server.reason, ConnectionLost)

    async def test_readOn(self) -> None:
        """
        All bytes are delivered also if the write fails in C{dataReceived}.
        What is written after that is ignored.
        """

        def write(protocol: Recorder) -> None:
            protocol.transport.write(b"to a lost peer")

        server = HalfRecorder(data=write)
        size = await self.breakOff(server)
        await self.untilLost(server)
        self.assertReceived(server, MUCH[:size])
        self.assertNotIn("readEnded", server.told)
        self.assertEqual(server.reason, ConnectionLost)

    async def test_paused(self) -> None:
        """
        A paused protocol is notified of the loss alone, as with Twisted's
        transport.
        """
        server = Recorder(made=pause)
        await self.breakOff(server)
        server.transport.write(b"to a lost peer")
        self.assertEqual(server.told, ["made"])
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "lost"], ConnectionLost))

    async def test_patient(self) -> None:
        """
        A paused protocol whose transport is patient gets all bytes as it reads again, even if
        it pauses in between, and then the loss.
        """
        server = Recorder(made=pause, data=pause)
        size = await self.breakOff(server)
        server.transport.patient = True
        server.transport.write(b"to a lost peer")
        await self.turns()
        self.assertEqual(server.told, ["made"])
        while server.reason is None:
            server.transport.resumeProducing()
            await self.turns()
        self.assertReceived(server, MUCH[:size])
        self.assertEqual(server.reason, ConnectionLost)

    async def test_pausing(self) -> None:
        """
        A protocol that pauses in C{dataReceived} is notified of the loss
        alone.
        """
        server = Recorder(data=pause)
        await self.breakOff(server)
        server.transport.write(b"to a lost peer")
        await self.untilLost(server)
        self.assertEqual((server.told, server.reason), (["made", "data", "lost"], ConnectionLost))

    async def test_oneWay(self) -> None:
        """
        The connection is lost even if the peer has only stopped reading.
        """
        self.kind = UNIX
        sock, server = await self.dialled()
        sock.send(b"before")
        sock.shutdown(socket.SHUT_RD)
        server.transport.write(b"to a lost peer")
        await self.untilLost(server)
        self.assertReceived(server, b"before")
        self.assertEqual(server.reason, ConnectionLost)

    async def test_afterEnd(self) -> None:
        """
        A reset by a peer that has ended before is noticed without a write.
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
    Tests of urgent bytes, which cut a read short.
    """

    async def test_behind(self) -> None:
        """
        Bytes behind the urgent ones are read at once nevertheless.
        """
        sock, server = await self.dialled()
        for part, flags in ((b"one ", 0), (b"!", socket.MSG_OOB), (b"two", 0)):
            sock.send(part, flags)
        await self.untilReceived(server, b"one two")


class FairnessTests(TransportTests):
    """
    Tests that no connection has to wait for another that receives many bytes.
    """

    async def flooded(self, server: Recorder) -> None:
        """
        Make a connection that receives bytes all the time, until the test has
        ended.
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
        Timers have their turn while a connection is flooded.
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
        Other connections have their turn before the flooded one has a third.
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
        Timers also have their turn when many connections each receive a few
        bytes.
        """
        # To serve a connection takes 0.05 ms, and connections are served for 2 ms at a time.
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

    @ivar told: its calls.
    @ivar failing: it fails when an event occurs.
    @ivar deaf: it also fails when it is notified of that failure.
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
        Make this many pipes, and serve them.
        """
        made = [Pipe() for _ in range(number)]
        for each in made:
            self.addCleanup(each.close)
            self.poller.add(each.end, each, EVERYTHING)
            self.addCleanup(self.poller.remove, each.end)
        return made

    async def test_idle(self) -> None:
        """
        A poller is among the reactor's readers only while it serves a
        descriptor.
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
        A descriptor that fails is notified of that, and the others are served.
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
        The others are served even if it fails again in that notification.
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
        Two descriptors have an event. If the first removes the second, the
        second is not served.
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
        An event of a closed descriptor is not delivered to another that has
        the same number now.
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
        However long it takes to serve them, each descriptor is served once, in
        the order of the events.
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
        A descriptor that requests a turn of its own several times gets one.
        """
        (one,) = self.pipes(1)
        for _ in range(3):
            self.poller.later(one)
        self.assertEqual(one.told, [])
        await self.until(lambda: one.told)
        self.assertEqual(one.told, ["settle"])


class TransportOfOwnTests(TransportTests):
    """
    Tests of details of the transport.
    """

    async def test_type(self) -> None:
        """
        Both ends have brxy's own transport.
        """
        for each in await self.pair():
            self.assertIs(type(each.transport), EpollTransport)

    async def test_together(self) -> None:
        """
        While connections are served, writes wait until all of them have been.
        Then the writes of each connection are sent together.
        """
        order: list[str] = []

        def answer(protocol: Recorder) -> None:
            order.append("read")
            for piece in (b"one", b"two", b"three"):
                protocol.transport.write(piece)

        def noted(transport: EpollTransport) -> None:
            order.append("sent")
            send(transport)

        send = EpollTransport.send
        self.patch(EpollTransport, "send", noted)
        port = self.listen()
        socks = [self.rawClient(port.getHost()) for _ in range(3)]
        await self.until(lambda: len(self.protocols) == 3)
        for protocol in self.protocols:
            protocol.hooks["data"] = answer
        for sock in socks:
            sock.send(b"go")
        await self.until(lambda: len(order) == 6)
        self.assertEqual(order, ["read"] * 3 + ["sent"] * 3)
        for sock in socks:
            self.assertEqual(await self.receive(sock, 11), b"onetwothree")

    async def test_muchTogether(self) -> None:
        """
        Large writes are not kept for that, and the order stays as written.
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
        Bytes that are written in a turn are sent before the peer's end is
        noticed in the same turn.
        """
        sock, server = await self.dialled()
        server.hooks["data"] = lambda protocol: protocol.transport.write(b"goodbye")
        sock.send(b"hello")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(await self.receive(sock, 7), b"goodbye")

    async def receive(self, sock: socket.socket, size: int) -> bytes:
        """
        Read this many bytes.
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
        A short write is sent before C{write} returns.
        """
        sock, server = await self.dialled()
        server.transport.write(LITTLE)
        sock.settimeout(30)
        self.assertEqual(sock.recv(len(LITTLE), socket.MSG_WAITALL), LITTLE)
