"""
Tests of L{brxy.reactor.hangup}, with real sockets.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.reactor.hangup import HangupWatcher
from brxy.test.support.loopback.leftovers import RealTests
from brxy.transport.connection import Connection, Shared
from brxy.transport.holding import HOLD_PEER


def tcpPair() -> tuple[socket.socket, socket.socket]:
    """
    @return: both ends of a connection over loopback.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return one, server.accept()[0]


def breakOff(one: socket.socket) -> None:
    """
    Close a socket with a RST.
    """
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


class WatcherTests(RealTests):
    """
    Tests of L{HangupWatcher}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.watcher = HangupWatcher(self.reactor)
        self.addCleanup(self.watcher.stop)
        self.told: list[bool] = []

    def watch(self) -> tuple[socket.socket, socket.socket]:
        """
        Watch one end of a new connection.

        @return: the other end, and the watched one.
        """
        other, one = tcpPair()
        for each in (other, one):
            self.addCleanup(each.close)
        self.addCleanup(self.watcher.unwatch, one.fileno())
        self.watcher.watch(one.fileno(), self.told.append)
        return other, one

    async def test_fin(self) -> None:
        """
        A half-close is reported as not broken, although bytes before it are
        still unread.
        """
        other, _ = self.watch()
        other.sendall(b"unread")
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [False])

    async def test_rst(self) -> None:
        """
        A reset is reported as broken.
        """
        other, _ = self.watch()
        other.sendall(b"unread")
        breakOff(other)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_bothEnded(self) -> None:
        """
        A half-close after our own is not reported as broken, either: the bytes
        that the peer sent before it can still be read.
        """
        other, one = self.watch()
        one.shutdown(socket.SHUT_WR)
        other.sendall(b"unread")
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [False])

    async def test_once(self) -> None:
        """
        A hang-up is reported once, and the arrival of bytes is not reported.
        """
        first, _ = self.watch()
        first.sendall(b"unread")
        other, _ = self.watch()
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        third, _ = self.watch()
        third.shutdown(socket.SHUT_WR)
        await self.until(lambda: len(self.told) > 1)
        self.assertEqual(self.told, [False, False])

    async def test_again(self) -> None:
        """
        After a report the descriptor can be watched again, and the hang-up is
        reported again.
        """
        other, one = self.watch()
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.watcher.watch(one.fileno(), self.told.append)
        await self.until(lambda: len(self.told) > 1)

    async def test_unwatched(self) -> None:
        """
        Nothing is reported for a descriptor that is no longer watched. To
        unwatch it a second time does nothing.
        """
        other, one = self.watch()
        self.watcher.unwatch(one.fileno())
        self.watcher.unwatch(one.fileno())
        other.shutdown(socket.SHUT_WR)
        last, _ = self.watch()
        breakOff(last)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_unwatchedByAnother(self) -> None:
        """
        Two descriptors hang up at the same moment. When the callback of the
        first unwatches the second, the second is not reported.
        """
        ends = [tcpPair() for _ in range(2)]
        for other, one in ends:
            self.addCleanup(one.close)
            self.addCleanup(other.close)

        def watch(mine: int, others: int) -> None:
            def tell(broken: bool) -> None:
                self.told.append(broken)
                self.watcher.unwatch(others)

            self.watcher.watch(mine, tell)

        numbers = [one.fileno() for _, one in ends]
        watch(*numbers)
        watch(*numbers[::-1])
        for other, _ in ends:
            other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        last, _ = self.watch()
        breakOff(last)
        await self.until(lambda: len(self.told) > 1)
        self.assertEqual(self.told, [False, True])

    async def test_failing(self) -> None:
        """
        A callback that fails is logged, and the other callbacks are called.
        """

        def fail(broken: bool) -> None:
            raise ZeroDivisionError

        other, one = tcpPair()
        self.addCleanup(one.close)
        self.watcher.watch(one.fileno(), fail)
        breakOff(other)
        await self.until(lambda: self.flushLoggedErrors(ZeroDivisionError))
        last, _ = self.watch()
        breakOff(last)
        await self.until(lambda: self.told)

    async def test_stop(self) -> None:
        """
        A stopped watcher is not among the reactor's readers, and can be used
        again.
        """
        self.watch()
        self.assertIn(self.watcher, self.reactor.getReaders())
        self.watcher.stop()
        self.watcher.stop()
        self.assertNotIn(self.watcher, self.reactor.getReaders())
        self.assertEqual(self.watcher.fileno(), -1)
        other, _ = self.watch()
        breakOff(other)
        await self.until(lambda: self.told)


class _Held(Connection):
    """
    A connection that never reads.
    """

    def __init__(self, shared: Shared, tests: HeldTests) -> None:
        super().__init__(shared)
        self._tests = tests

    def connectionMade(self) -> None:
        super().connectionMade()
        self.watchLink()
        self.pause()
        self._tests.connections.append(self)

    def dataReceived(self, data: bytes) -> None:
        self._tests.received += data

    def hungUp(self, broken: bool) -> None:
        self._tests.told.append(broken)

    def closed(self, reason: Failure) -> None:
        self._tests.lost.append(self)


class HeldTests(RealTests):
    """
    Tests of a real L{Connection} that does not read.
    """

    def setUp(self) -> None:
        super().setUp()
        self.shared = Shared(self.reactor)
        self.addCleanup(self.shared.stop)
        self.connections: list[_Held] = []
        self.lost: list[_Held] = []
        self.told: list[bool] = []
        self.received = b""

    async def dial(self, family: int) -> socket.socket:
        """
        Connect to a L{_Held}.

        @return: the client's socket.
        """
        factory = Factory.forProtocol(lambda: _Held(self.shared, self))
        factory.noisy = False
        if family == socket.AF_UNIX:
            path = self.mktemp()
            port = await UNIXServerEndpoint(self.reactor, path).listen(factory)
            address: Any = path
        else:
            port = await TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1").listen(factory)
            address = ("127.0.0.1", port.getHost().port)
        self.addCleanup(port.stopListening)
        client = socket.socket(family, socket.SOCK_STREAM)
        self.addCleanup(client.close)
        client.connect(address)
        await self.until(lambda: self.connections)
        self.addCleanup(self.leave)
        return client

    def leave(self) -> Deferred[None]:
        for connection in self.connections:
            connection.abort()
        return Deferred.fromCoroutine(self.until(lambda: set(self.lost) == set(self.connections)))

    async def checkFin(self, family: int) -> None:
        """
        Check that a half-close is noticed by a connection that does not read.
        """
        client = await self.dial(family)
        client.sendall(b"before")
        client.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.assertEqual((self.told, self.received), ([False], b""))
        self.connections[0].resume()
        await self.until(lambda: self.lost)
        self.assertEqual(self.received, b"before")

    async def test_fin(self) -> None:
        """
        A half-close is noticed while nothing is read, and the bytes before it
        are read later.
        """
        await self.checkFin(socket.AF_INET)

    async def test_finUnix(self) -> None:
        """
        On a Unix socket, too, a half-close is noticed while nothing is read.
        """
        await self.checkFin(socket.AF_UNIX)

    async def test_rst(self) -> None:
        """
        A reset is noticed while nothing is read.
        """
        client = await self.dial(socket.AF_INET)
        breakOff(client)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_notWhileReading(self) -> None:
        """
        A connection that reads is not watched: it notices a hang-up when it
        reads.
        """
        client = await self.dial(socket.AF_INET)
        self.connections[0].release(HOLD_PEER)
        client.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.lost)
        self.assertEqual(self.told, [])
