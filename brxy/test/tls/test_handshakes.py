"""
Tests of L{brxy.tls.handshakes}.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from brxy.test.support.loopback.transports import TCP, TransportTests, certificate, everywhere
from brxy.test.support.memory.recorders import Recorder, Server
from brxy.tls.handshakes import TIMEOUT, Handshakes, encrypted


@everywhere(TCP)
class HandshakeTests(TransportTests):
    """
    Tests of L{Handshakes}, two at once at most.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.handshakes = Handshakes(self.clock, 2)
        self.failures: list[Any] = []
        self.server = Server(self.noted(Recorder))
        creator = PrivateCertificate.loadPEM(certificate()).options()
        secured: Any = encrypted(
            self.server,
            creator,
            self.handshakes,
            clock=self.tested,
            failed=lambda address, reason: self.failures.append(address),
        )
        port = TCP.listen(self.tested, secured, self.folder)
        self.ports.append(port)
        self.address = port.getHost()

    async def silent(self, number: int) -> list[socket.socket]:
        """
        Connect this number of clients that send nothing.
        """
        socks = [self.rawClient(self.address) for _ in range(number)]
        for sock in socks:
            sock.settimeout(20)
        await self.turns(20)
        return socks

    def shake(self) -> Any:
        """
        @return: fires with a socket that has made its handshake.
        """
        context = ssl.create_default_context(cadata=certificate().decode())
        sock = self.rawClient(self.address)
        sock.settimeout(20)

        def wrap() -> ssl.SSLSocket:
            wrapped = context.wrap_socket(sock, server_hostname="localhost")
            self.addCleanup(wrapped.close)
            return wrapped

        return deferToThread(wrap)

    async def assertCut(self, *socks: socket.socket) -> None:
        """
        These, and no others, are reset.
        """
        await self.until(lambda: len(self.failures) == len(socks))
        for sock in socks:
            self.assertRaises(ConnectionResetError, sock.recv, 1)

    async def test_silent(self) -> None:
        """
        A client that sends nothing reaches no factory, and is cut when its time is over.
        """
        (sock,) = await self.silent(1)
        self.clock.advance(TIMEOUT - 0.1)
        await self.turns()
        self.assertEqual(self.failures, [])
        self.clock.advance(TIMEOUT / 2)
        await self.assertCut(sock)
        self.assertEqual((self.failures[0].port, self.server.peers), (sock.getsockname()[1], []))

    async def test_half(self) -> None:
        """
        So is one that sends a part of its hello.
        """
        (sock,) = await self.silent(1)
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        await self.turns()
        self.clock.advance(TIMEOUT * 1.5)
        await self.assertCut(sock)

    async def test_waiting(self) -> None:
        """
        Where too many are under way the next waits, and gets in when one of them
        leaves, or is cut; its time counts from then.
        """
        first, _ = await self.silent(2)
        shaken = self.shake()
        await self.turns(20)
        self.assertFalse(shaken.called)
        self.clock.advance(TIMEOUT / 2)
        first.close()
        await shaken
        await self.until(lambda: len(self.server.peers) == 1)
        await self.silent(1)
        shaken = self.shake()
        await self.turns(20)
        self.clock.advance(TIMEOUT)
        await shaken
        await self.until(lambda: len(self.server.peers) == 2)

    async def test_done(self) -> None:
        """
        One whose handshake is done takes no place, and has all the time.
        """
        for _ in range(4):
            await self.shake()
        await self.until(lambda: len(self.server.peers) == 4)
        self.clock.advance(TIMEOUT * 10)
        await self.turns()
        self.assertEqual([each.told for each in self.protocols], [["made"]] * 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_garbage(self) -> None:
        """
        What is no TLS ends at once.
        """
        (sock,) = await self.silent(1)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await self.until(lambda: self.failures)
        self.assertEqual(self.server.peers, [])

    async def test_stop(self) -> None:
        """
        All that are under way or waiting are cut off.
        """
        socks = await self.silent(3)
        self.handshakes.stop()
        await self.assertCut(*socks)
        self.assertEqual(self.clock.getDelayedCalls(), [])
