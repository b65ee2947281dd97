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
    @return: a connection over loopback, from both ends.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        return one, server.accept()[0]


def breakOff(one: socket.socket) -> None:
    """
    Close with a RST.
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

        @return: the other, and this.
        """
        other, one = tcpPair()
        for each in (other, one):
            self.addCleanup(each.close)
        self.addCleanup(self.watcher.unwatch, one.fileno())
        self.watcher.watch(one.fileno(), self.told.append)
        return other, one

    async def test_fin(self) -> None:
        """
        A half-close is told as one that broke nothing, though bytes before it
        are still unread.
        """
        other, _ = self.watch()
        other.sendall(b"unread")
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [False])

    async def test_rst(self) -> None:
        """
        A reset is told as broken.
        """
        other, _ = self.watch()
        other.sendall(b"unread")
        breakOff(other)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_bothEnded(self) -> None:
        """
        A half-close after our own is none that breaks anything, either: what
        the peer sent before is still to be read.
        """
        other, one = self.watch()
        one.shutdown(socket.SHUT_WR)
        other.sendall(b"unread")
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [False])

    async def test_once(self) -> None:
        """
        It is told once, and bytes alone are no hang-up.
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
        After it was told a descriptor can be watched anew, which tells again.
        """
        other, one = self.watch()
        other.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.told)
        self.watcher.watch(one.fileno(), self.told.append)
        await self.until(lambda: len(self.told) > 1)

    async def test_unwatched(self) -> None:
        """
        What is not watched any more is not told; unwatching it again does
        nothing.
        """
        other, one = self.watch()
        self.watcher.unwatch(one.fileno())
        self.watcher.unwatch(one.fileno())
        other.shutdown(socket.SHUT_WR)
        last, _ = self.watch()
        breakOff(last)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_unwatched_by_another(self) -> None:
        """
        When the first that is told unwatches the second, which hung up in the
        same moment, the second is not told.
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
        A failure in one who is told is logged, and the others are told.
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
    Reads nothing, from the beginning.
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
    A real L{Connection} that is not read from.
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
        Connect.

        @return: the other end.
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
        Half-close on a connection that is not read from.
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
        A half-close is noticed while nothing is read, and what was sent before
        it is read later.
        """
        await self.checkFin(socket.AF_INET)

    async def test_fin_unix(self) -> None:
        """
        On a Unix socket, too.
        """
        await self.checkFin(socket.AF_UNIX)

    async def test_rst(self) -> None:
        """
        So is a reset.
        """
        client = await self.dial(socket.AF_INET)
        breakOff(client)
        await self.until(lambda: self.told)
        self.assertEqual(self.told, [True])

    async def test_not_while_reading(self) -> None:
        """
        Who is read from is not watched: a hang-up is read in its turn.
        """
        client = await self.dial(socket.AF_INET)
        self.connections[0].release(HOLD_PEER)
        client.shutdown(socket.SHUT_WR)
        await self.until(lambda: self.lost)
        self.assertEqual(self.told, [])
