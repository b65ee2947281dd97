"""
Tests of how connections close, on real sockets: a peer that reads slowly still
gets all bytes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from brxy.interfaces import Address
from brxy.test.support.loopback.edges import EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Peer, connect
from brxy.transport.connection import Connection, Shared

# More than the kernel buffers for a peer that does not read.
SIZE = 64 << 20


class _Server(Connection):
    """
    The server's end, a L{Connection} that counts its calls.
    """

    emptied_count = 0

    def emptied(self) -> None:
        self.emptied_count += 1

    def peerEnded(self) -> None:
        pass


@onBothTransports
class ClosingTests(EdgeTests):
    """
    Tests of the ways to close while written bytes have not been sent yet.
    """

    async def make(self) -> tuple[_Server, Peer]:
        """
        Make a connection with many written bytes, whose other end does not
        read yet.
        """
        shared = Shared(self.reactor)
        self.addCleanup(shared.stop)
        servers: list[_Server] = []

        def build(_: Any) -> _Server:
            servers.append(_Server(shared))
            return servers[0]

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[assignment, method-assign]
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        host = port.getHost()
        peer = await connect(self.reactor, Address(host.host, host.port))
        self.cutLater(peer)
        peer.pause()
        await self.until(lambda: servers)
        servers[0].write(b"x" * SIZE)
        self.assertTrue(servers[0].congested)
        return servers[0], peer

    async def untilAll(self, peer: Peer) -> None:
        """
        Let the other end read: it gets everything, and then a proper end.
        """
        peer.resume()
        await peer.untilEnd()
        self.assertEqual(len(peer.received), SIZE)
        self.assertTrue(peer.clean)

    async def test_close(self) -> None:
        """
        To close waits until everything has been sent.
        """
        server, peer = await self.make()
        server.close()
        await self.untilAll(peer)

    async def test_linger(self) -> None:
        """
        A lingering close waits until everything has been sent, also while the
        peer is still sending.
        """
        server, peer = await self.make()
        server.linger()
        peer.write(b"y" * 100_000)
        await self.untilAll(peer)
        peer.close()
        await peer.untilLost()
        self.assertTrue(peer.clean)

    async def test_end(self) -> None:
        """
        A half-close waits until everything has been sent. The producer may
        continue, and the other direction stays open.
        """
        server, peer = await self.make()
        server.end()
        self.assertEqual((server.congested, server.emptied_count), (False, 1))
        await self.untilAll(peer)
        peer.close()
        await self.until(lambda: server.read_ended)
        await peer.untilLost()
        self.assertTrue(peer.clean)

    async def test_slow(self) -> None:
        """
        A peer that reads slowly is waited for as long as it reads.
        """
        server, peer = await self.make()
        server.close()
        for _ in range(4):
            peer.resume()
            await peer.take(1 << 22)
            peer.pause()
            server.closesSlowly()
        await self.untilAll(peer)

    async def test_deaf(self) -> None:
        """
        A peer that reads nothing between two checks is cut off.
        """
        server, peer = await self.make()
        server.close()
        # Wait until the kernels on both sides accept no more.
        await deferLater(self.reactor, 0.2)
        server.closesSlowly()
        server.closesSlowly()
        peer.resume()
        await peer.untilLost()
        self.assertFalse(peer.clean)
