"""
Tests of L{brxy.tls.transport}: of how TLS ends, with bare OpenSSL as the peer.
What it has in common with other transports is tested by
L{brxy.test.transport.test_writing}.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.protocol import Factory
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from zope.interface import implementer

from brxy.test.support.loopback.transports import (
    LITTLE,
    MUCH,
    SECURED,
    TransportTests,
    certificate,
    everywhere,
    reset,
)
from brxy.test.support.memory.recorders import HalfRecorder, Recorder
from brxy.tls.handshakes import Handshakes, encrypted

#: Versions of TLS end in the same way.
VERSIONS = (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)


class Bare:
    """
    A client with a blocking socket and OpenSSL on it.
    """

    def __init__(self, sock: socket.socket, version: int) -> None:
        self.sock = sock
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_max_proto_version(version)
        self.tls = SSL.Connection(context, sock)
        self.tls.set_connect_state()
        self.tls.do_handshake()

    def readAll(self) -> bytes:
        """
        @return: what comes up to the peer's close_notify.
        @raise SSL.Error: it does not come.
        """
        received = bytearray()
        while True:
            try:
                received += self.tls.recv(65536)
            except SSL.ZeroReturnError:
                return bytes(received)


@implementer(IOpenSSLServerConnectionCreator)
class Creator:
    """
    Makes the server's side of handshakes.

    @ivar made: all that were made.
    """

    def __init__(self) -> None:
        self.made: list[SSL.Connection] = []

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        context = PrivateCertificate.loadPEM(certificate()).options().getContext()
        self.made.append(SSL.Connection(context, None))
        return self.made[-1]


class KEPT(SECURED):
    """
    Connections whose server side of OpenSSL is kept.
    """

    creator = Creator()

    @classmethod
    def listen(cls, reactor: Any, factory: Factory, folder: str, backlog: int = 50) -> Any:
        secured = encrypted(factory, cls.creator, Handshakes(Clock()), clock=reactor)
        return reactor.listenTCP(0, secured, backlog, cls.host)


@everywhere(KEPT)
class EndingTests(TransportTests):
    """
    Tests of ends.
    """

    async def pairs(self, kind: type[Recorder]) -> list[tuple[Bare, Any]]:
        """
        @return: connections of each version.
        """
        made: list[tuple[Bare, Any]] = []
        port = self.listen(kind)
        before = len(self.protocols)
        for version in VERSIONS:
            sock = self.rawClient(port.getHost())
            # Not settimeout: OpenSSL would find that it does not block.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 20, 0))
            bare = await deferToThread(Bare, sock, version)
            self.assertEqual(bare.tls.get_protocol_version(), version)
            await self.until(lambda: len(self.protocols) > before + len(made))
            made.append((bare, self.protocols[-1]))
        return made

    async def told(self, server: Recorder, what: str) -> None:
        """
        Wait until the protocol of a server was called so.
        """
        await self.until(lambda: what in server.told)

    async def test_peerEnds(self) -> None:
        """
        A peer that ends by close_notify, with or without a FIN behind it, gets
        what is written then, and our end.
        """
        for half_close in (False, True):
            for bare, server in await self.pairs(HalfRecorder):
                bare.tls.sendall(b"all")
                self.assertFalse(bare.tls.shutdown())
                if half_close:
                    bare.sock.shutdown(socket.SHUT_WR)
                await self.told(server, "readEnded")
                self.assertEqual(server.received, b"all")
                server.transport.write(MUCH)
                server.transport.loseWriteConnection()
                self.assertEqual(await deferToThread(bare.readAll), MUCH)
                await self.told(server, "writeEnded")
                self.assertEqual(server.told, ["made", "data", "readEnded", "writeEnded"])

    async def test_cut(self) -> None:
        """
        A FIN without close_notify is no end, nor is a reset.
        """
        for cut in (lambda sock: sock.shutdown(socket.SHUT_WR), reset):
            for bare, server in await self.pairs(HalfRecorder):
                bare.tls.sendall(b"some")
                await self.told(server, "data")
                cut(bare.sock)
                await self.untilLost(server)
                self.assertEqual(server.told, ["made", "data", "lost"])
                self.assertEqual(server.reason, ConnectionLost)

    async def test_weEnd(self) -> None:
        """
        Our end is a proper one to the peer, which can go on sending.
        """
        for bare, server in await self.pairs(HalfRecorder):
            server.transport.write(MUCH)
            server.transport.loseWriteConnection()
            self.assertEqual(await deferToThread(bare.readAll), MUCH)
            bare.tls.sendall(b"one thing more")
            await self.untilReceived(server, b"one thing more")

    async def test_weClose(self) -> None:
        """
        So it is when we close; a peer that says nothing is not waited for.
        """
        for bare, server in await self.pairs(Recorder):
            server.transport.write(LITTLE)
            server.transport.loseConnection()
            await self.untilLost(server)
            self.assertEqual(server.reason, ConnectionDone)
            self.assertEqual(await deferToThread(bare.readAll), LITTLE)

    async def test_weAbort(self) -> None:
        """
        An abort is none.
        """
        for bare, server in await self.pairs(Recorder):
            server.transport.abortConnection()
            await self.untilLost(server)
            with self.assertRaises(SSL.Error):
                await deferToThread(bare.readAll)

    async def test_garbage(self) -> None:
        """
        What is no TLS breaks the connection at once, though the peer reads
        nothing of what it was sent.
        """
        for bare, server in await self.pairs(HalfRecorder):
            server.transport.write(MUCH)
            bare.sock.sendall(b"no TLS at all")
            await self.untilLost(server)
            self.assertEqual(server.told, ["made", "lost"])

    async def test_behindEnd(self) -> None:
        """
        What a peer sends behind its end is dropped, and kept nowhere.
        """
        KEPT.creator.made.clear()
        pairs = await self.pairs(HalfRecorder)
        for (bare, server), openssl in zip(pairs, KEPT.creator.made, strict=True):
            bare.tls.shutdown()
            await self.told(server, "readEnded")
            await deferToThread(bare.sock.sendall, MUCH)
            server.transport.write(b"still there")
            server.transport.loseWriteConnection()
            self.assertEqual(await deferToThread(bare.readAll), b"still there")
            self.assertNotIn("data", server.told)
            self.assertRaises(SSL.WantReadError, openssl.bio_read, 1)
