"""
Connections with the transport under test at both ends, over every kind of
socket.

A test case derives from L{TransportTests}, and must hold for brxy's own
transport and for Twisted's: L{everywhere} has it run on both.
"""

from __future__ import annotations

import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory, Factory
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    TLSVersion,
    optionsForClientTLS,
)
from twisted.internet.task import Clock, deferLater

from brxy.test.support.loopback.leftovers import RealTests
from brxy.test.support.memory.recorders import Dialer, Recorder, Server
from brxy.tls.handshakes import Handshakes, encrypted
from brxy.transport.epollreactor import EpollReactor
from brxy.transport.poller import Poller

__all__ = [
    "LITTLE",
    "MUCH",
    "SECURED",
    "TCP",
    "TCP6",
    "TLS",
    "UNIX",
    "TransportTests",
    "certificate",
    "content",
    "everywhere",
    "reset",
]

_T = TypeVar("_T", bound="TransportTests")


def content(size: int) -> bytes:
    """
    @return: this many bytes, always the same, in which no two parts are alike.
    """
    return Random(0).randbytes(size)


#: More than the kernel accepts for a peer that does not read.
MUCH = content(12 * 2**20)
#: An amount that the kernel always accepts.
LITTLE = MUCH[: 32 * 1024]


def reset(sock: socket.socket) -> None:
    """
    Close a socket with a RST.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@cache
def certificate() -> bytes:
    """
    @return: a self-signed certificate for C{localhost}, and its key, as PEM.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now()
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    unlocked = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(pem) + unlocked


class TCP:
    """
    Connections over IPv4.

    @cvar aborted: the reason that an end gets which aborts.
    @cvar cut: the reason that its peer gets.
    @cvar ready: the event of a protocol after which its connection can be
        used.
    """

    address: Any = IPv4Address
    family = socket.AF_INET
    host = "127.0.0.1"
    aborted: type[Exception] = ConnectionAborted
    cut: type[Exception] = ConnectionLost
    ready = "made"

    @classmethod
    def listen(cls, reactor: Any, factory: Factory, folder: str, backlog: int = 50) -> Any:
        return reactor.listenTCP(0, factory, backlog, cls.host)

    @classmethod
    def connect(
        cls, reactor: Any, address: Any, factory: ClientFactory[Any], timeout: float = 30
    ) -> Any:
        return reactor.connectTCP(cls.host, address.port, factory, timeout)

    @classmethod
    def name(cls, address: Any) -> Any:
        """
        @return: the address in the form that sockets use.
        """
        return cls.host, address.port


class TCP6(TCP):
    """
    Connections over IPv6.
    """

    address = IPv6Address
    family = socket.AF_INET6
    host = "::1"


class UNIX(TCP):
    """
    Connections over a Unix socket, where every kind of close looks the same.
    """

    address = UNIXAddress
    family = socket.AF_UNIX
    cut = ConnectionDone

    @classmethod
    def listen(cls, reactor: Any, factory: Factory, folder: str, backlog: int = 50) -> Any:
        return reactor.listenUNIX(f"{folder}/socket", factory, backlog)

    @classmethod
    def connect(
        cls, reactor: Any, address: Any, factory: ClientFactory[Any], timeout: float = 30
    ) -> Any:
        return reactor.connectUNIX(address.name, factory, timeout)

    @classmethod
    def name(cls, address: Any) -> Any:
        return address.name


class TLS(TCP):
    """
    Connections over IPv4 with TLS.
    """

    aborted = ConnectionLost
    ready = "shaken"

    @classmethod
    def listen(cls, reactor: Any, factory: Factory, folder: str, backlog: int = 50) -> Any:
        context = PrivateCertificate.loadPEM(certificate()).options()
        return reactor.listenSSL(0, factory, context, backlog, cls.host)

    @classmethod
    def connect(
        cls, reactor: Any, address: Any, factory: ClientFactory[Any], timeout: float = 30
    ) -> Any:
        context = optionsForClientTLS("localhost", Certificate.loadPEM(certificate()))
        return reactor.connectSSL(cls.host, address.port, factory, context, timeout)


class SECURED(TCP):
    """
    Connections over IPv4 with L{brxy.tls.transport}, whose ends are like those
    of TCP.
    """

    @classmethod
    def listen(cls, reactor: Any, factory: Factory, folder: str, backlog: int = 50) -> Any:
        creator = PrivateCertificate.loadPEM(certificate()).options()
        secured = encrypted(factory, creator, Handshakes(Clock()), clock=reactor)
        return reactor.listenTCP(0, secured, backlog, cls.host)

    @classmethod
    def connect(
        cls, reactor: Any, address: Any, factory: ClientFactory[Any], timeout: float = 30
    ) -> Any:
        # In TLS 1.3 tickets are on their way when the client is notified: if it closed at once
        # they would stay unread, and the kernel would drop what it has sent.
        creator = optionsForClientTLS(
            "localhost",
            Certificate.loadPEM(certificate()),
            extraCertificateOptions={"lowerMaximumSecurityTo": TLSVersion.TLSv1_2},
        )
        secured = encrypted(factory, creator, Handshakes(Clock()), clock=reactor, client=True)
        return reactor.connectTCP(cls.host, address.port, secured, timeout)


class TransportTests(RealTests):
    """
    Base of tests with both ends of real connections.

    @cvar own: with brxy's transport, not Twisted's.
    @cvar kind: of the sockets.
    @ivar tested: the reactor of the transport under test.
    @ivar protocols: all that were made.
    """

    timeout = 60
    own = True
    kind: type[TCP] = TCP

    def setUp(self) -> None:
        super().setUp()
        self.tested: Any = EpollReactor(self.reactor) if self.own else self.reactor
        self.protocols: list[Recorder] = []
        self.ports: list[Any] = []
        self.connectors: list[Any] = []
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.finish()))

    async def finish(self) -> None:
        """
        End all connections, and check that nothing is left behind and that
        each connection was notified of its loss once.
        """
        for connector in self.connectors:
            if connector.state == "connecting":
                connector.disconnect()
        made = [each for each in self.protocols if "made" in each.told]
        for each in made:
            if each.reason is None:
                each.transport.abortConnection()
        await self.until(lambda: all(each.reason is not None for each in made))
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        self.assertEqual([each.told.count("lost") for each in made], [1] * len(made))
        self.assertEqual([each for each in self.reactor.getReaders() if type(each) is Poller], [])

    def noted(self, make: Callable[[], Any]) -> Callable[[], Any]:
        """
        Have all protocols that a factory makes ended after the test.
        """

        def makeAndNote() -> Any:
            made = make()
            if isinstance(made, Recorder):
                self.protocols.append(made)
            return made

        return makeAndNote

    def listen(self, make: Callable[[], Any] = Recorder, backlog: int = 50) -> Any:
        """
        @param make: makes the protocol of an accepted connection.
        @return: the port.
        """
        factory = Server(self.noted(make))
        port = self.kind.listen(self.tested, factory, self.folder, backlog)
        # Otherwise the kernel enlarges the buffer of a connection that has read much.
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**18)
        self.ports.append(port)
        return port

    def connect(
        self,
        address: IAddress,
        make: Callable[[], Any] = Recorder,
        timeout: float = 30,
        **hooks: Callable[[Any], object],
    ) -> tuple[Any, Dialer]:
        """
        @param hooks: for L{Dialer}.
        @return: the connector and its factory.
        """
        dialer = Dialer(self.noted(make), **hooks)
        connector = self.kind.connect(self.tested, address, dialer, timeout)
        self.connectors.append(connector)
        return connector, dialer

    async def pair(
        self, client: Recorder | None = None, server: Recorder | None = None
    ) -> tuple[Recorder, Recorder]:
        """
        Connect a client and a server.
        """
        client, server = client or Recorder(), server or Recorder()
        port = self.ports[-1] if self.ports else self.listen(lambda: server)
        factory = port.factory
        while hasattr(factory, "wrappedFactory"):
            factory = factory.wrappedFactory
        factory.make = self.noted(lambda: server)
        self.connect(port.getHost(), lambda: client)
        both = (client, server)
        await self.until(lambda: all(self.kind.ready in each.told for each in both))
        return both

    def rawClient(self, address: Any) -> socket.socket:
        """
        @return: a blocking socket that is connected to a port.
        """
        sock = socket.socket(self.kind.family)
        self.addCleanup(sock.close)
        sock.connect(self.kind.name(address))
        return sock

    async def dialled(self, server: Recorder | None = None) -> tuple[socket.socket, Recorder]:
        """
        Connect a socket to a server with this protocol.
        """
        server = server or Recorder()
        port = self.listen(lambda: server)
        sock = self.rawClient(port.getHost())
        await self.until(lambda: server.told)
        return sock, server

    def bound(self) -> tuple[socket.socket, Any]:
        """
        @return: a socket that does not listen, and its address.
        """
        sock = socket.socket(self.kind.family)
        self.addCleanup(sock.close)
        if self.kind is UNIX:
            path = f"{self.folder}/bound"
            sock.bind(path)
            return sock, UNIXAddress(path.encode())
        sock.bind((self.kind.host, 0))
        host, port, *_ = sock.getsockname()
        return sock, self.kind.address("TCP", host, port)

    def busy(self) -> Any:
        """
        @return: the address of a socket that listens, and whose queue is full.
        """
        sock, address = self.bound()
        sock.listen(0)
        for _ in range(4):
            waiting = socket.socket(self.kind.family)
            self.addCleanup(waiting.close)
            waiting.setblocking(False)
            waiting.connect_ex(self.kind.name(address))
        return address

    def endpoint(self, address: Any) -> Any:
        """
        @return: the endpoint for an address.
        """
        if self.kind is UNIX:
            return UNIXClientEndpoint(self.tested, address.name)
        endpoint = TCP6ClientEndpoint if self.kind is TCP6 else TCP4ClientEndpoint
        return endpoint(self.tested, address.host, address.port)

    async def untilStopped(self, dialer: Dialer) -> None:
        """
        Wait until a connector has stopped.
        """
        await self.until(lambda: dialer.told[-1] == "stop")

    async def turns(self, number: int = 5) -> None:
        """
        Wait for this many turns of the reactor.
        """
        for _ in range(number):
            await deferLater(self.reactor, 0)

    def assertReceived(self, protocol: Recorder, expected: bytes) -> None:
        """
        Check that exactly these bytes were received.
        """
        self.assertEqual(len(protocol.received), len(expected))
        self.assertTrue(protocol.received == expected, "the bytes differ from those sent")

    async def untilReceived(self, protocol: Recorder, expected: bytes) -> None:
        """
        Wait until exactly these bytes were received.
        """
        await self.until(lambda: len(protocol.received) >= len(expected) or protocol.reason)
        self.assertReceived(protocol, expected)

    async def untilLost(self, *protocols: Recorder) -> None:
        """
        Wait until these protocols have lost their connections.
        """
        await self.until(lambda: all(each.reason for each in protocols))


def everywhere(*kinds: type[TCP]) -> Callable[[type[_T]], type[_T]]:
    """
    Decorate a class whose tests must hold on both transports and over these
    kinds of sockets: subclasses are added beside it that run them there.
    """

    def multiply(tests: type[_T]) -> type[_T]:
        module = sys.modules[tests.__module__]
        tests.kind = kinds[0]
        for kind in kinds:
            for own, suffix in ((True, ""), (False, "OnReactor")):
                name = f"{tests.__name__}{kind.__name__}{suffix}"
                body = {"kind": kind, "own": own, "__module__": tests.__module__}
                if (kind, own) != (kinds[0], True):
                    setattr(module, name, type(name, (tests,), body))
        return tests

    return multiply
