"""
Tests of PROXY headers for apps, which contain the address of the client.
"""

from __future__ import annotations

from typing import Any

from brxy.interfaces import Address
from brxy.processes.ports import PORTS
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Peer, answer, echo, webApp
from brxy.test.support.loopback.spawning import NodeSpawner
from brxy.test.support.memory.proxies import CLIENT, HERE
from brxy.wire.proxyheader import VERSIONS, Endpoints, proxyHeader

GET = b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n"


@onBothTransports
class AnnouncingTests(EdgeTests):
    """
    Tests of C{send-proxy=} with an app that the edge fronts.
    """

    def front(self, app: App, version: str, **settings: Any) -> None:
        """
        Start an edge before an app that expects PROXY headers.
        """
        self.launch(app, {"send_proxy": version, "max_instances": 1}, **settings)

    def ends(self, peer: Peer) -> Endpoints:
        """
        @return: both ends of a client's connection to the edge.
        """
        client, edge = peer.local, self.edge.addresses[0]
        return Endpoints(Address(client.host, client.port), Address(edge.host, edge.port))

    async def test_tcp(self) -> None:
        """
        Each connection to the app begins with the client's and the edge's
        address.
        """
        for version in VERSIONS:
            app = App(echo)
            self.front(app, version, ports=[], frontends=[("db", LOOPBACK)])
            for _ in range(2):
                peer = await self.connect()
                header = proxyHeader(version, self.ends(peer))
                peer.write(b"hello")
                self.assertEqual(await peer.take(len(header) + 5), header + b"hello")
                peer.end()
                await peer.untilEnd()
            self.assertEqual(len(app.peers), 2)

    async def test_appFirst(self) -> None:
        """
        The header is sent even if the client sends nothing.
        """
        app = App(echo)
        self.front(app, "v1", ports=[], frontends=[("db", LOOPBACK)])
        peer = await self.connect()
        header = proxyHeader("v1", self.ends(peer))
        self.assertEqual(await peer.take(len(header)), header)

    async def test_passedOn(self) -> None:
        """
        For a client that came through a proxy the app gets the addresses that
        the proxy announced.
        """
        for endpoints in (CLIENT, None):
            self.front(App(echo), "v2", ports=[], frontends=[("db", LOOPBACK)], proxy_trust=HERE)
            peer = await self.connect()
            peer.write(proxyHeader("v1", endpoints))
            header = proxyHeader("v2", endpoints or self.ends(peer))
            self.assertEqual(await peer.take(len(header)), header)

    async def test_http(self) -> None:
        """
        A connection to the app is used only for requests of the client
        connection that it was made for.
        """
        headers: list[bytes] = []

        async def serve(peer: Peer) -> None:
            headers.append(await peer.takeThrough(b"\r\n"))
            while True:
                app.requests.append(await peer.request())
                peer.write(answer())

        app = webApp(answer())
        app.serve_by = serve
        self.front(app, "v1")
        clients = [await self.connect() for _ in range(2)]
        for peer, target in zip([*clients, *clients], (b"/a", b"/b", b"/c", b"/d"), strict=True):
            for again in (b"", b"again"):
                peer.write(GET % (target + again))
                self.assertEqual((await peer.answer()).status, 200)
        expected = [proxyHeader("v1", self.ends(peer)) for peer in clients]
        self.assertEqual(headers, expected * 2)
        self.assertEqual(len(app.requests), 8)

    async def test_refused(self) -> None:
        """
        When an app refuses the first connection, the next one has one header.
        """
        app = App(echo)
        # The kernel may not give this port to another process meanwhile.
        port = PORTS.take()
        self.addCleanup(PORTS.release, port)
        self.launch(
            lambda order: Address("127.0.0.1", port),
            {"send_proxy": "v1", "max_instances": 1},
            ports=[],
            frontends=[("db", LOOPBACK)],
        )
        peer = await self.connect()
        header = proxyHeader("v1", self.ends(peer))
        peer.write(b"patient")
        await self.soon(50)
        self.startApp(app, port)
        self.assertEqual(await peer.take(len(header) + 7), header + b"patient")


@onBothTransports
class AnnouncingTwoHopsTests(AnnouncingTests):
    """
    Tests of C{send-proxy=} with a node between edge and app.
    """

    spawner_type = NodeSpawner
