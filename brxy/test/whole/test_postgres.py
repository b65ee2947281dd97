"""
Tests of clients that request TLS as those of PostgreSQL do.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.threads import deferToThread

from brxy.edge.config.kinds import Frontend
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, echo
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.wire.test_clienthello import HELLO
from brxy.test.wire.test_postgres import CANCEL, PLAIN
from brxy.wire.postgres import GSS_REQUEST, SSL_REQUEST


def handshake(sock: socket.socket, *protocols: str) -> tuple[str | None, bytes]:
    """
    Shake hands, and send something that is echoed.

    @param protocols: for ALPN.
    @return: the protocol that was agreed on, and the echo.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    with context.wrap_socket(sock, server_hostname="localhost") as client:
        client.sendall(b"hello")
        return client.selected_alpn_protocol(), client.recv(100)


@onBothTransports
class FrontendTests(EdgeTests):
    """
    Tests of C{tls-postgres:}.
    """

    def front(self, *alpn: str, postgres: bool = True) -> App:
        """
        Start an edge with one frontend, before an app that echoes.
        """
        app = App(echo)
        frontend = Frontend("db", LOOPBACK, True, alpn, postgres)
        self.launch(
            app,
            {"capacity": 8},
            ports=[],
            tls_frontends=[frontend],
            tls_certs=self.certificates(),
        )
        return app

    async def asked(self, ask: Callable[[socket.socket], Any]) -> Any:
        """
        @return: what a function of a connected socket returns, which runs in a thread.
        """

        def run() -> Any:
            with socket.create_connection(("127.0.0.1", self.edge.addresses[0].port), 20) as sock:
                return ask(sock)

        return await deferToThread(run)

    async def test_requested(self) -> None:
        """
        A request for TLS is granted, and one for Kerberos before it is not.
        """
        self.front("postgresql")

        def ask(sock: socket.socket) -> Any:
            for request, answer in ((GSS_REQUEST, b"N"), (SSL_REQUEST, b"S")):
                sock.sendall(request)
                self.assertEqual(sock.recv(10), answer)
            return handshake(sock)

        self.assertEqual(await self.asked(ask), (None, b"hello"))

    async def test_trickled(self) -> None:
        """
        A request may come byte by byte.
        """
        self.front("postgresql")

        def ask(sock: socket.socket) -> Any:
            for each in SSL_REQUEST:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.sendall(bytes([each]))
            self.assertEqual(sock.recv(10), b"S")
            return handshake(sock, "postgresql")

        self.assertEqual(await self.asked(ask), ("postgresql", b"hello"))

    async def test_direct(self) -> None:
        """
        A client may begin with TLS at once.  It gets the protocol that it offers; one that
        offers others only is refused.
        """
        self.front("postgresql")

        def refused(sock: socket.socket) -> Any:
            with self.assertRaisesRegex(ssl.SSLError, "(?i)no.application.protocol"):
                handshake(sock, "http/1.1")

        self.assertEqual(
            await self.asked(lambda sock: handshake(sock, "postgresql")), ("postgresql", b"hello")
        )
        self.assertEqual(await self.asked(handshake), (None, b"hello"))
        await self.asked(refused)

    async def test_plain(self) -> None:
        """
        A session without TLS is refused with a message; no byte of it gets to the app.
        """
        app = self.front("postgresql")
        answer = await self.talk(PLAIN)
        self.assertEqual(answer[:1], b"E")
        self.assertIn(b"sslmode=require", answer)
        self.assertEqual(app.peers, [])

    async def test_cancel(self) -> None:
        """
        A request to cancel a query, which older clients do not encrypt, gets to the app.
        """
        self.front("postgresql")
        peer = await self.connect()
        peer.write(CANCEL)
        self.assertEqual(await peer.take(len(CANCEL)), CANCEL)

    async def test_hostile(self) -> None:
        """
        Other bytes, and bytes behind a request, end the connection without an answer.
        """
        app = self.front("postgresql")
        for data in (b"GET / HTTP/1.1\r\n\r\n", SSL_REQUEST + HELLO, GSS_REQUEST + SSL_REQUEST):
            peer = await self.connect()
            peer.write(data)
            await peer.untilLost()
            self.assertEqual(peer.received, b"", data)
        self.assertEqual(app.peers, [])

    async def test_others(self) -> None:
        """
        Without C{tls-postgres:} the request is no handshake, and without C{alpn=} no
        protocol is agreed on.
        """
        self.front(postgres=False)
        self.assertEqual(
            await self.asked(lambda sock: handshake(sock, "http/1.1")), (None, b"hello")
        )
        self.assertNotEqual((await self.talk(SSL_REQUEST))[:1], b"S")


class FrontendTwoHopTests(FrontendTests):
    """
    The same with nodes.
    """

    spawner_type = NodeSpawner


@onBothTransports
class SNITests(EdgeTests):
    """
    Tests of requests at a port for TLS that is passed on undecrypted.
    """

    #: What the app answers to a request for TLS.
    answer = b"S"

    async def serve(self, peer: Peer) -> None:
        """
        Be a server of PostgreSQL up to its handshake.
        """
        self.assertEqual(await peer.take(8), SSL_REQUEST)
        await self.soon(5)
        # The handshake does not begin before the answer.
        self.assertEqual(peer.received, SSL_REQUEST)
        peer.write(self.answer)
        self.assertEqual(await peer.take(len(HELLO)), HELLO)
        peer.write(b"server hello")

    def front(self) -> App:
        """
        Start an edge before the app.
        """
        app = App(self.serve)
        self.launch({"www.example.com": app}, ports=[], sni_ports=[LOOPBACK])
        return app

    async def request(self) -> Peer:
        """
        @return: a client that was granted TLS.
        """
        peer = await self.connect()
        peer.write(GSS_REQUEST)
        self.assertEqual(await peer.take(1), b"N")
        peer.write(SSL_REQUEST)
        self.assertEqual(await peer.take(1), b"S")
        return peer

    async def test_requested(self) -> None:
        """
        The app gets a request of its own, and the hello of the client when it has granted
        that; the client gets what follows.
        """
        app = self.front()
        peer = await self.request()
        peer.write(HELLO[:7])
        await self.soon(3)
        peer.write(HELLO[7:])
        self.assertEqual(await peer.take(12), b"server hello")
        # The check whether the app is ready has a connection of its own.
        self.assertEqual(app.peers[-1].received, SSL_REQUEST + HELLO)

    async def test_direct(self) -> None:
        """
        A hello without a request gets to the app as it is.
        """

        async def serve(peer: Peer) -> None:
            self.assertEqual(await peer.take(len(HELLO)), HELLO)
            peer.write(b"server hello")

        self.launch({"www.example.com": App(serve)}, ports=[], sni_ports=[LOOPBACK])
        peer = await self.connect()
        peer.write(HELLO)
        self.assertEqual(await peer.take(12), b"server hello")

    async def test_denied(self) -> None:
        """
        The connection breaks if the app speaks no TLS.
        """
        for self.answer in (b"N", b"SS"):
            self.front()
            peer = await self.request()
            peer.write(HELLO)
            await peer.untilLost()
            self.assertFalse(peer.clean)
            self.assertEqual(peer.received, b"NS")
            await self.edge.stopService()

    async def test_hostile(self) -> None:
        """
        What names no app is refused.
        """
        app = self.front()
        for data, answer in (
            (CANCEL, b""),
            (b"GET / HTTP/1.1\r\n\r\n", b""),
            (SSL_REQUEST + HELLO, b""),
            (PLAIN, b"E"),
        ):
            peer = await self.connect()
            peer.write(data)
            if answer:
                await peer.untilEnd()
            else:
                await peer.untilLost()
            self.assertEqual(peer.received[:1], answer, data)
        peer = await self.request()
        peer.write(SSL_REQUEST)
        await peer.untilLost()
        self.assertEqual(app.peers, [])

    async def test_flood(self) -> None:
        """
        A client that sends on before the app has answered is cut.
        """

        async def keep(peer: Peer) -> None:
            await peer.untilLost()

        app = App(keep)
        self.launch({"www.example.com": app}, ports=[], sni_ports=[LOOPBACK])
        peer = await self.request()
        peer.write(HELLO)
        await self.until(lambda: app.peers)
        peer.write(bytes(70_000))
        await peer.untilLost()
        self.assertFalse(peer.clean)


class SNITwoHopTests(SNITests):
    """
    The same with nodes.
    """

    spawner_type = NodeSpawner
