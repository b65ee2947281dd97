"""
Tests of clients that connect through a proxy: L{brxy.edge.clients.proxied}, and what is kept
of X-Forwarded-For.
"""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import ILoggingContext
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import ClientContextFactory, DefaultOpenSSLContextFactory
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.peer import ProxiedPeer, endpointsText
from brxy.edge.clients.proxied import COMPLAINTS_PAUSE, HEADER_TIMEOUT, Proxied
from brxy.test.support.loopback.crowds import MemoryEdge, get
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.papers import Papers
from brxy.test.support.loopback.peers import App, Peer, answer, connect, echo, webApp
from brxy.test.support.memory.network import FakeReactor, PipeEnd
from brxy.test.support.memory.proxies import CLIENT, HERE
from brxy.test.support.memory.recorders import Server
from brxy.values.networks import NOBODY, Networks
from brxy.wire.proxyheader import VERSIONS, proxyHeader

HEADER = proxyHeader("v1", CLIENT)

GET = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"


class PeerTests(SynchronousTestCase):
    """
    Tests for L{endpointsText}.
    """

    def test_endpoints(self) -> None:
        """
        Both ends are written as in a URL, and for a client that a proxy names as its header
        says; without an address, nothing is.
        """
        here = IPv4Address("TCP", "127.0.0.1", 80)
        for peer, text in (
            (IPv4Address("TCP", "192.0.2.7", 5), "192.0.2.7:5 127.0.0.1:80"),
            (IPv4Address("TCP", "::ffff:192.0.2.7", 5), "192.0.2.7:5 127.0.0.1:80"),
            (IPv4Address("TCP", "fe80::1%eth0", 5), "[fe80::1]:5 127.0.0.1:80"),
            (ProxiedPeer(CLIENT), "192.0.2.7:40312 198.51.100.1:443"),
            (UNIXAddress(None), ""),
            (None, ""),
        ):
            self.assertEqual(endpointsText(peer, here), text)
        self.assertEqual(endpointsText(here, UNIXAddress(None)), "")


class WrappingTests(SynchronousTestCase):
    """
    Tests for L{Proxied} and the factories it makes.
    """

    def test_nobody(self) -> None:
        """
        Without trusted proxies, a factory is not wrapped.
        """
        factory = Factory.forProtocol(Protocol)
        self.assertIs(Proxied(Clock(), NOBODY).wrap(factory), factory)

    def test_others(self) -> None:
        """
        The protocols of other peers are not wrapped.
        """
        protocol = Protocol()
        server = Server(lambda: protocol)
        peer = IPv4Address("TCP", "192.0.2.7", 5)
        self.assertIs(Proxied(Clock(), HERE).wrap(server).buildProtocol(peer), protocol)
        self.assertEqual(server.peers, [peer])

    def test_logged(self) -> None:
        """
        The log names a port by the factory that is wrapped.
        """
        wrapped = Proxied(Clock(), HERE).wrap(Factory.forProtocol(Protocol))
        self.assertEqual(ILoggingContext(wrapped).logPrefix(), "Factory")
        twice = Proxied(Clock(), HERE).wrap(wrapped)
        self.assertEqual(ILoggingContext(twice).logPrefix(), "Factory")


class TimeTests(SynchronousTestCase):
    """
    A PROXY header must come in time.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.edge = MemoryEdge(self.reactor, proxy_trust=Networks(["192.0.2.0/24", "127.0.0.1"]))
        self.addCleanup(self.edge.service.stopService)
        self.events = self.enterContext(capturedLogs())

    def complaints(self) -> list[str | None]:
        """
        @return: what was logged about proxies.
        """
        return [formatEvent(e) for e in self.events if e["log_level"] == LogLevel.warn]

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(int(seconds)):
            self.reactor.advance(1)
            self.edge.turn()

    def test_slow(self) -> None:
        """
        A connection whose header is not complete in time is cut, even if the proxy goes on
        sending.
        """
        client = self.edge.ask(HEADER[:5])
        end = client.transport
        assert isinstance(end, PipeEnd)
        for place in range(5, 5 + int(HEADER_TIMEOUT) - 1):
            end.write(HEADER[place : place + 1])
            self.wait(1)
        self.assertIsNone(client.reason)
        self.wait(HEADER_TIMEOUT / 4 + 2)
        self.assertIsNotNone(client.reason)
        [line] = self.complaints()
        self.assertRegex(
            line or "", "closed a connection from proxy .*: no complete PROXY header in time"
        )

    def test_complaints(self) -> None:
        """
        A misconfigured proxy is logged now and then, not with each connection.
        """
        for expected in (1, 1, 2):
            client = self.edge.ask(get())
            self.edge.turn()
            self.assertIsNotNone(client.reason)
            self.assertEqual(client.received, b"")
            self.assertEqual(len(self.complaints()), expected)
            self.wait(COMPLAINTS_PAUSE / 2)

    def test_stop(self) -> None:
        """
        An edge that stops does not wait for headers.
        """
        client = self.edge.ask(HEADER[:5])
        stopped = self.edge.service.stopService()
        self.edge.turn()
        self.edge.turn()
        self.successResultOf(stopped)
        self.assertIsNotNone(client.reason)
        self.assertEqual(self.reactor.timers(), 0)

    def test_silent(self) -> None:
        """
        A proxy that closes before it has sent anything, as a health check does, is not logged.
        """
        client = self.edge.ask(b"")
        assert isinstance(client.transport, PipeEnd)
        client.transport.loseConnection()
        self.edge.turn()
        self.wait(HEADER_TIMEOUT * 2)
        self.assertEqual(self.complaints(), [])


@onBothTransports
class HTTPTests(EdgeTests):
    """
    Tests of HTTP behind PROXY headers.
    """

    def front(self, trusted: Networks = HERE, **settings: Any) -> App:
        """
        Start an edge with trusted proxies, before an app.
        """
        app = webApp(answer())
        self.launch(app, {"capacity": 8}, proxy_trust=trusted, **settings)
        return app

    async def test_named(self) -> None:
        """
        The app receives the client that the proxy names, with each request.
        """
        app = self.front()
        for version in VERSIONS:
            peer = await self.connect()
            peer.write(proxyHeader(version, CLIENT), GET)
            self.assertEqual((await peer.answer()).status, 200)
            peer.write(GET)
            self.assertEqual((await peer.answer()).status, 200)
        told = [request[b"x-forwarded-for"] for request in app.requests]
        self.assertEqual(told, [b"192.0.2.7"] * 4)

    async def test_pieces(self) -> None:
        """
        The header may come in pieces.
        """
        app = self.front()
        for version in VERSIONS:
            peer = await self.connect()
            header = proxyHeader(version, CLIENT)
            for place in range(len(header)):
                peer.write(header[place : place + 1])
                await self.soon(2)
            peer.write(GET)
            self.assertEqual((await peer.answer()).status, 200)
            self.assertEqual(app.requests[-1][b"x-forwarded-for"], b"192.0.2.7")

    async def test_ownConnection(self) -> None:
        """
        A proxy that sends a request of its own, or names no client, is the client.
        """
        app = self.front()
        for version in VERSIONS:
            await self.ask(proxyHeader(version, None) + GET)
            self.assertEqual(app.requests[-1][b"x-forwarded-for"], b"127.0.0.1")

    async def test_strangers(self) -> None:
        """
        From any other peer, such a header is an invalid request.
        """
        app = self.front(Networks(["10.0.0.0/8", "unix"]))
        self.assertEqual((await self.ask(GET)).status, 200)
        for version in VERSIONS:
            self.assertEqual((await self.ask(proxyHeader(version, CLIENT) + GET)).status, 400)
        self.assertEqual([r[b"x-forwarded-for"] for r in app.requests], [b"127.0.0.1"])

    async def test_missing(self) -> None:
        """
        A proxy without a header gets no answer, and one line is logged.
        """
        app = self.front()
        with capturedLogs() as events:
            for said in (GET, HEADER.replace(b"TCP4", b"TCP6") + GET):
                peer = await self.connect()
                peer.write(said)
                await peer.untilLost()
                self.assertEqual(bytes(peer.received), b"")
        self.assertEqual(app.requests, [])
        lines = [formatEvent(e) for e in events if e["log_level"] == LogLevel.warn]
        self.assertEqual(lines, ["closed a connection from proxy 127.0.0.1: no PROXY header"])

    async def test_twice(self) -> None:
        """
        A second header is an invalid request.
        """
        self.front()
        self.assertEqual((await self.ask(HEADER + HEADER + GET)).status, 400)

    async def test_leaves(self) -> None:
        """
        A proxy that half-closes before its header is complete is cut.
        """
        self.front()
        peer = await self.connect()
        peer.write(HEADER[:20])
        peer.end()
        await peer.untilLost()
        self.assertEqual(bytes(peer.received), b"")

    async def test_halfClosed(self) -> None:
        """
        With C{half-closed=serve} a proxy that half-closes after its request gets its
        answer, and then the end.
        """
        self.front(half_closed="serve")
        peer = await self.connect()
        peer.write(HEADER, GET)
        self.assertEqual((await peer.answer()).status, 200)
        peer.write(GET)
        peer.end()
        self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(await peer.untilEnd(), b"")
        self.assertTrue(peer.clean)

    async def test_unixSocket(self) -> None:
        """
        A proxy may connect to a Unix socket.
        """
        folder = tempfile.mkdtemp(prefix="brxy-")
        self.addCleanup(shutil.rmtree, folder)
        app = self.front(Networks(["unix"]), ports=[f"unix:{folder}/edge"])
        peer = Peer()
        peer.connectionMade = lambda: None  # type: ignore[method-assign]
        factory = Factory.forProtocol(lambda: peer)
        await UNIXClientEndpoint(self.reactor, f"{folder}/edge").connect(factory)
        self.cutLater(peer)
        peer.write(HEADER, GET)
        self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(app.requests[-1][b"x-forwarded-for"], b"192.0.2.7")


@onBothTransports
class TCPTests(EdgeTests):
    """
    Tests of TCP behind PROXY headers.
    """

    async def test_passes(self) -> None:
        """
        The app receives what follows the header, and both ends may close.
        """
        app = App(echo)
        self.launch(app, ports=[], frontends=[("db", LOOPBACK)], proxy_trust=HERE)
        for version in VERSIONS:
            peer = await self.connect()
            peer.write(proxyHeader(version, CLIENT), b"hello")
            self.assertEqual(await peer.take(5), b"hello")
            peer.write(b"x" * 1_000_000)
            await peer.take(1_000_000)
            peer.end()
            self.assertEqual(await peer.untilEnd(), b"")
            self.assertTrue(peer.clean)

    async def test_appFirst(self) -> None:
        """
        The app speaks first, once the header is complete.
        """

        async def greet(peer: Peer) -> None:
            peer.write(b"220 welcome\r\n")
            await peer.untilEnd()

        app = App(greet)
        self.launch(app, ports=[], frontends=[("db", LOOPBACK)], proxy_trust=HERE)
        peer = await self.connect()
        await self.soon(20)
        self.assertEqual(app.peers, [])
        peer.write(HEADER)
        self.assertEqual(await peer.take(13), b"220 welcome\r\n")


class _Starting(ClientContextFactory):
    """
    For a client that accepts any certificate.
    """

    method = SSL.TLS_METHOD


@onBothTransports
class TLSTests(EdgeTests):
    """
    The header comes before the TLS of its connection.
    """

    async def test_before(self) -> None:
        """
        The factory of a port sees only TLS, and the address of the client.
        """
        certificate, key = Papers(self.mktemp()).issue("localhost")
        context = DefaultOpenSSLContextFactory(key, certificate)
        inner = Server(_Upper)
        tls = TLSMemoryBIOFactory(context, False, inner)
        proxied = Proxied(self.reactor, HERE)
        self.addCleanup(proxied.abort)
        port = await TCP4ServerEndpoint(self.edge_reactor, 0, interface="127.0.0.1").listen(
            proxied.wrap(tls)
        )
        self.addCleanup(port.stopListening)
        peer = await connect(self.reactor, port.getHost())
        self.cutLater(peer)
        peer.write(HEADER)
        peer.transport.startTLS(_Starting())  # type: ignore[union-attr]
        peer.write(b"hello")
        self.assertEqual(await peer.take(5), b"HELLO")
        self.assertEqual(inner.peers, [ProxiedPeer(CLIENT)])


class _Upper(Protocol):
    """
    Answers in capitals.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        assert self.transport is not None
        self.transport.write(data.upper())


@onBothTransports
class ForwardedTests(EdgeTests):
    """
    Tests of what is kept of X-Forwarded-For and the like.
    """

    REQUEST = (
        b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example\r\nX-Forwarded-Port: 443\r\n"
        b"X_Forwarded_For: 1.1.1.1\r\nForwarded: for=x\r\nX-Real-IP: 1.2.3.4\r\n\r\n"
    )

    async def test_trusted(self) -> None:
        """
        The fields of a trusted proxy are kept, and its address is added; the route is that of
        Host.
        """
        app = webApp(answer())
        spawner = self.launch(app, forwarded_trust=HERE)
        await self.ask(self.REQUEST)
        [request] = app.requests
        for name, values in (
            (b"x-forwarded-for", [b"203.0.113.9, 192.0.2.7, 127.0.0.1"]),
            (b"x-forwarded-proto", [b"https"]),
            (b"x-forwarded-host", [b"shop.example"]),
            (b"host", [b"a.example"]),
            (b"x-forwarded-port", []),
            (b"x_forwarded_for", []),
            (b"forwarded", []),
            (b"x-real-ip", []),
        ):
            self.assertEqual(request.values(name), values, name)
        self.assertEqual([order.route for order in spawner.orders], ["a.example"])

    async def test_eachRequest(self) -> None:
        """
        The fields apply to their own request only.
        """
        app = webApp(answer())
        self.launch(app, forwarded_trust=HERE)
        peer = await self.connect()
        for request in (self.REQUEST, GET, b"GET / HTTP/1.0\r\n\r\n"):
            peer.write(request)
            await peer.answer()
        told = [
            (r[b"x-forwarded-for"], r[b"x-forwarded-proto"], r.values(b"x-forwarded-host"))
            for r in app.requests
        ]
        self.assertEqual(told[1], (b"127.0.0.1", b"http", [b"a.example"]))
        self.assertEqual(told[2], (b"127.0.0.1", b"http", []))

    async def test_webSocket(self) -> None:
        """
        The app of a proxy that names the scheme of a WebSocket, or the schemes at more than
        one proxy, gets the scheme of HTTP at the first of them, and the edge does not redirect
        its clients.
        """
        app = webApp(answer())
        self.launch(app, forwarded_trust=HERE, https_redirect=443)
        for said in (b"wss", b"https,http"):
            request = GET[:-2] + b"X-Forwarded-Proto: %b\r\n\r\n" % said
            self.assertEqual((await self.ask(request)).status, 200, said)
        told = [request.values(b"x-forwarded-proto") for request in app.requests]
        self.assertEqual(told, [[b"https"], [b"https"]])
        request = GET[:-2] + b"X-Forwarded-Proto: ws\r\n\r\n"
        self.assertEqual((await self.ask(request)).status, 308)

    async def test_strangers(self) -> None:
        """
        Those of any other peer are replaced.
        """
        app = webApp(answer())
        self.launch(app, forwarded_trust=Networks(["10.0.0.0/8", "unix"]))
        await self.ask(self.REQUEST)
        [request] = app.requests
        self.assertEqual(request[b"x-forwarded-for"], b"127.0.0.1")
        self.assertEqual(request[b"x-forwarded-proto"], b"http")
        self.assertEqual(request[b"x-forwarded-host"], b"a.example")

    async def test_behindProxy(self) -> None:
        """
        Behind a PROXY header, the client that the header names is trusted or is not.
        """
        app = webApp(answer())
        self.launch(app, proxy_trust=HERE, forwarded_trust=Networks(["192.0.2.7"]))
        await self.ask(HEADER + self.REQUEST)
        await self.ask(proxyHeader("v2", None) + self.REQUEST)
        self.assertEqual(
            [request[b"x-forwarded-for"] for request in app.requests],
            [b"203.0.113.9, 192.0.2.7, 192.0.2.7", b"127.0.0.1"],
        )
