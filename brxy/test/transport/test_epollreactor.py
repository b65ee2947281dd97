"""
Tests of what is peculiar to L{brxy.transport.epollreactor}. What it has in
common with Twisted's reactors is tested by
L{brxy.test.transport.test_connecting}.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.endpoints import (
    clientFromString,
    connectProtocol,
    serverFromString,
    wrapClientTLS,
)
from twisted.internet.error import (
    ConnectError,
)
from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFDSet,
    IReactorSSL,
    IReactorTCP,
    IReactorTime,
    IReactorUNIX,
)
from twisted.internet.protocol import Factory
from twisted.internet.ssl import Certificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, globalLogPublisher
from zope.interface import providedBy
from zope.interface.verify import verifyObject

from brxy.test.support.loopback.transports import LITTLE, TCP, TransportTests, certificate
from brxy.test.support.memory.recorders import Dialer, Recorder, fail
from brxy.transport.epollreactor import EpollReactor
from brxy.transport.stream import EpollTransport


class _HeldTimers:
    """
    A reactor whose timers fire by hand, except those without a delay.
    """

    def __init__(self, reactor: Any, clock: Clock) -> None:
        self._reactor = reactor
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def callLater(self, delay: float, *call: Any) -> Any:
        return (self._clock if delay else self._reactor).callLater(delay, *call)


class ExhaustedTests(TransportTests):
    """
    Tests of a process that has no descriptor left for a new connection.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.tested = EpollReactor(_HeldTimers(self.reactor, self.clock))
        self.warnings: list[Any] = []
        observer = cast(ILogObserver, self.observe)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: Any) -> None:
        """
        See L{ILogObserver}.
        """
        if event["log_namespace"] == "brxy.transport.accepting":
            self.warnings.append(event["log_level"].name)

    async def exhaust(self, *socks: socket.socket) -> Callable[[], None]:
        """
        Leave this process no descriptor, and connect these sockets until the
        reactor notices that.

        @return: a function that restores the limit.
        """
        (port,) = self.ports
        # Trial needs some descriptors to start the reactor.
        await self.turns(1)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for sock in socks:
            sock.connect(self.kind.name(port.getHost()))
        await self.until(lambda: self.warnings)
        # Take all descriptors that were freed since then.
        taken: list[int] = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))

        def restore() -> None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            while taken:
                os.close(taken.pop())

        self.addCleanup(restore)
        return restore

    async def test_waiting(self) -> None:
        """
        All connections wait. The reactor tries again at intervals, and accepts
        them when there are descriptors. All of that is one line in the log.
        """
        self.listen()
        socks = [socket.socket() for _ in range(3)]
        for sock in socks:
            self.addCleanup(sock.close)
        restore = await self.exhaust(*socks)
        for times in (1, 2, 3):
            await self.turns(50)
            self.assertEqual((self.warnings, self.protocols), (["warn"], []))
            if times == 3:
                restore()
            self.clock.advance(0.25)
        await self.until(lambda: len(self.protocols) == 3)
        self.assertEqual(self.warnings, ["warn"])

    async def test_stopped(self) -> None:
        """
        The port can be stopped meanwhile.
        """
        port = self.listen()
        sock = socket.socket()
        self.addCleanup(sock.close)
        restore = await self.exhaust(sock)
        await port.stopListening()
        restore()
        self.clock.advance(0.25)
        self.assertEqual(self.protocols, [])


class FailingFactoryTests(TransportTests):
    """
    Tests of factories that fail: they do not affect other connections.
    """

    async def test_server(self) -> None:
        """
        A port whose factory failed accepts further connections.
        """
        server = Recorder()

        def make() -> Recorder:
            if len(port.factory.peers) == 1:
                fail(server)
            return server

        port = self.listen(make)
        self.rawClient(port.getHost())
        self.rawClient(port.getHost())
        await self.until(lambda: server.told)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_client(self) -> None:
        """
        The attempt to connect has failed.
        """
        server = Recorder()
        port = self.listen(lambda: server)
        connector, dialer = self.connect(port.getHost(), lambda: fail(server))
        await self.until(lambda: dialer.told[-1] == "stop")
        self.assertEqual(dialer.told, ["start", "connecting", "built", "failed", "stop"])
        self.assertEqual(dialer.reasons, [ConnectError])
        self.assertEqual(connector.state, "disconnected")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        await self.untilLost(server)

    async def test_failing(self) -> None:
        """
        The attempt has failed even if the factory fails to handle that.
        """
        client, server = await self.pair()
        (port,) = self.ports
        port.factory.make = lambda: None
        _, dialer = self.connect(
            port.getHost(), lambda: fail(server), failed=lambda connector: fail(server)
        )
        await self.until(lambda: "failed" in dialer.told)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        client.transport.write(b"still here")
        await self.untilReceived(server, b"still here")


class EpollReactorTests(TransportTests):
    """
    Tests of L{EpollReactor}.
    """

    async def test_interfaces(self) -> None:
        """
        L{EpollReactor} provides all interfaces of Twisted's reactor.
        """
        for interface in providedBy(self.reactor):
            self.assertTrue(verifyObject(interface, self.tested))
        for interface in (
            IReactorCore,
            IReactorFDSet,
            IReactorSSL,
            IReactorTCP,
            IReactorTime,
            IReactorUNIX,
        ):
            self.assertTrue(interface.providedBy(self.tested))

    async def test_otherTransports(self) -> None:
        """
        Host names, and addresses to connect from, are left to Twisted.
        """
        port = self.listen()
        number = port.getHost().port
        for host, bound in (("localhost", None), (TCP.host, (TCP.host, 0))):
            factory = Dialer(self.noted(Recorder))
            self.tested.connectTCP(host, number, factory, bindAddress=bound)
        await self.until(lambda: len(self.protocols) == 4)
        own = [type(each.transport) is EpollTransport for each in self.protocols]
        self.assertEqual(sorted(own), [False, False, True, True])

    async def test_endpoints(self) -> None:
        """
        Twisted's endpoints get brxy's connections from this reactor, also
        under TLS.
        """
        pem = f"{self.folder}/pem"
        with open(pem, "wb") as file:
            file.write(certificate())
        key = f"privateKey={pem}:certKey={pem}"
        at = f"interface={TCP.host}"
        factory = Factory.forProtocol(self.noted(Recorder))
        factory.noisy = False
        for server, client in (
            (f"tcp:0:{at}", "tcp:127.0.0.1:{host.port}"),
            (f"ssl:0:{at}:{key}", "tcp:127.0.0.1:{host.port}"),
            (f"unix:{self.folder}/s", f"unix:{self.folder}/s"),
        ):
            port = await serverFromString(self.tested, server).listen(factory)
            self.ports.append(port)
            host = port.getHost()
            endpoint = clientFromString(self.tested, client.format(host=host))
            if server.startswith("ssl"):
                trusted = Certificate.loadPEM(certificate())
                endpoint = wrapClientTLS(optionsForClientTLS("localhost", trusted), endpoint)
            protocol = await connectProtocol(endpoint, self.noted(Recorder)())
            # With TLS there is another transport on top.
            transport = getattr(protocol.transport, "transport", protocol.transport)
            self.assertIs(type(transport), EpollTransport)
            protocol.transport.write(LITTLE)
            await self.until(lambda: len(self.protocols[-1].received) == len(LITTLE))

    async def test_mistaken(self) -> None:
        """
        An event for a closed socket does not make an attempt succeed whose
        socket has got the same number.
        """
        busy = self.busy()
        port = self.listen()
        first, dialer = self.connect(port.getHost())
        await self.until(lambda: "built" in dialer.told)
        attempts: list[Dialer] = []

        def replace(protocol: Recorder) -> None:
            connector.stopConnecting()
            attempts.append(self.connect(busy)[1])

        self.protocols[-1].hooks["data"] = replace
        other = next(each for each in self.protocols if each is not self.protocols[-1])
        await self.until(lambda: len(self.protocols) == 2)
        other.transport.write(b"go")
        connector, dialer = self.connect(port.getHost())
        await self.until(lambda: attempts)
        await self.turns()
        self.assertEqual(dialer.told, ["start", "connecting", "failed", "stop"])
        self.assertEqual(attempts[0].told, ["start", "connecting"])
