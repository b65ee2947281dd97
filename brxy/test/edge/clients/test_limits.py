"""
Tests of the limits of what clients may take of an edge.
"""

from __future__ import annotations

from tempfile import TemporaryDirectory

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.limits import Limits
from brxy.interfaces import Address
from brxy.node.service import NodeService
from brxy.node.settings import NodeSettings
from brxy.test.support.loopback.crowds import MemoryEdge, get
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests, spawnRule
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import FrontedSpawner, TestSpawner
from brxy.test.support.memory.network import FakeReactor

#: The address of another client.
OTHER = "127.0.0.2"

POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


@onBothTransports
class RequestLimitTests(EdgeTests):
    """
    Tests of the limits of a request, and of a connection.
    """

    async def test_bodyTooLarge(self) -> None:
        """
        A body that is announced as too large gets 413, and the app receives nothing; one of
        exactly the maximum goes through.
        """
        app = webApp(answer())
        self.launch(app, limits=Limits(max_body=1000))
        said = await self.talk(POST + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)
        self.assertRegex(said, b"(?s)^HTTP/1.1 413 .*Connection: close")
        self.assertEqual(app.requests, [])
        reply = await self.ask(POST + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)
        self.assertEqual((reply.status, len(app.requests[0].body)), (200, 1000))

    async def test_chunksTooLarge(self) -> None:
        """
        A body that proves to be too large on its way gets 413 too, and the app's connection
        breaks. Only its contents count.
        """
        app = App(Peer.untilLost)
        self.launch(app, limits=Limits(max_body=1000, request_buffer=0))
        chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
        peer = await self.connect()
        peer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 9)
        await self.until(lambda: app.peers and app.peers[0].received)
        peer.write(chunk)
        self.assertEqual((await peer.answer()).status, 413)
        await self.until(lambda: app.peers[0].lost)
        self.assertFalse(app.peers[0].clean)

    async def test_requests(self) -> None:
        """
        After the maximum of requests, the edge closes the connection.
        """
        self.launch(webApp(answer()), limits=Limits(max_requests=2))
        peer = await self.connect()
        peer.write(get(), get(), get())
        first, second = await peer.answer(), await peer.answer()
        self.assertEqual(first.values(b"connection"), [])
        self.assertEqual((second.status, second[b"connection"]), (200, b"close"))
        self.assertEqual(await peer.untilEnd(), b"")

    async def test_requestsRefused(self) -> None:
        """
        It does so too if the last one gets an answer of the edge's own.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(max_requests=1))
        spawner.failure = "no"
        said = await self.talk(get())
        self.assertRegex(said, b"(?s)^HTTP/1.1 503 .*Connection: close")


@onBothTransports
class SlowTests(EdgeTests):
    """
    Tests of clients that are too slow, with short timeouts.
    """

    async def test_body(self) -> None:
        """
        A client that does not send the body that it announced gets 408.
        """
        self.launch(App(Peer.untilLost), limits=Limits(body_timeout=0.1))
        said = await self.talk(POST + b"Content-Length: 1000\r\n\r\n")
        self.assertRegex(said, b"^HTTP/1.1 408 ")

    async def test_reading(self) -> None:
        """
        A client that does not read its answer is cut off, and the app with it.
        """

        async def serve(peer: Peer) -> None:
            await peer.head()
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            await peer.send(b"x" * 65536, 100_000)

        app = App(serve)
        self.launch(app, limits=Limits(write_timeout=0.1))
        client = await self.connect()
        client.write(get())
        await client.take(1000)
        client.pause()
        await self.until(lambda: app.peers[0].lost)
        client.resume()
        await client.untilLost()
        self.assertFalse(client.clean)

    async def test_tunnel(self) -> None:
        """
        A TCP connection that is silent is closed, if there is a limit.
        """

        async def serve(peer: Peer) -> None:
            peer.write(b"hello")
            await peer.untilEnd()

        address = self.startApp(App(serve))
        spawner = self.spawner_type(self.edge_reactor, lambda order: address)
        self.startTCP(spawner, tunnel_timeout=0.1)
        peer = await self.connect()
        self.assertEqual(await peer.untilEnd(), b"hello")

    def startTCP(self, spawner: TestSpawner, tunnel_timeout: float) -> None:
        """
        Start an edge with a TCP frontend.
        """
        self.startEdge(
            spawnRule(spawner),
            ports=[],
            frontends=[("tcp", LOOPBACK)],
            limits=Limits(tunnel_timeout=tunnel_timeout),
        )


@onBothTransports
class ConnectionLimitTests(EdgeTests):
    """
    Tests of the limits of connections.
    """

    async def test_address(self) -> None:
        """
        An address has at most N connections; one more is cut at once, until it has fewer.
        Another address may have N too.
        """
        self.launch(webApp(answer()), limits=Limits(max_connections_per_address=2))
        first, second = await self.connect(), await self.connect()
        await self.cutOff()
        other = await self.connect(host=OTHER)
        for peer in (first, second, other):
            peer.write(get())
            self.assertEqual((await peer.answer()).status, 200)
        first.close()
        await first.untilLost()
        await self.until(lambda: self.edge.parts.clients.count() == 2)
        again = await self.connect()
        again.write(get())
        self.assertEqual((await again.answer()).status, 200)
        await self.cutOff()

    async def cutOff(self) -> None:
        """
        Connect, and be cut off.
        """
        try:
            peer = await self.connect()
        except ConnectError:
            # It was cut before it knew that it is connected.
            return
        await peer.untilLost()
        self.assertEqual((peer.received, peer.clean), (b"", False))

    async def test_total(self) -> None:
        """
        At most N clients are accepted. Others wait in the kernel's queue, and are accepted
        when one has left.
        """
        self.launch(webApp(answer()), limits=Limits(max_connections=2))
        first, second = await self.connect(), await self.connect()
        for peer in (first, second):
            peer.write(get())
            self.assertEqual((await peer.answer()).status, 200)
        others = [await self.connect() for _ in range(5)]
        for peer in others:
            peer.write(get())
        await self.soon(50)
        self.assertEqual([bytes(peer.received) for peer in others], [b""] * 5)
        first.write(get())
        self.assertEqual((await first.answer()).status, 200)
        for peer in (first, second, *others[:3]):
            peer.close()
        self.assertEqual((await others[3].answer()).status, 200)
        self.assertEqual((await others[4].answer()).status, 200)

    async def test_crowd(self) -> None:
        """
        All ports together never accept more than N clients, however many connect at once; all
        are served in the end.
        """
        self.launch(webApp(answer()), ports=[LOOPBACK] * 2, limits=Limits(max_connections=10))
        most = 0
        peers = [await self.connect(number % 2) for number in range(100)]
        for peer in peers:
            peer.write(get()[:-2] + b"Connection: close\r\n\r\n")
        while not all(peer.ended for peer in peers):
            most = max(most, self.edge.parts.clients.countAccepted())
            await self.soon()
        self.assertEqual(most, 10)
        self.assertEqual([(await peer.answer()).status for peer in peers], [200] * 100)

    async def test_stopping(self) -> None:
        """
        An edge can be stopped while others wait.
        """
        self.launch(webApp(answer()), limits=Limits(max_connections=1))
        await self.connect()
        other = await self.connect()
        other.write(get())
        await self.soon(20)
        await self.edge.stopService()
        self.assertEqual(other.received, b"")
        await other.untilLost()

    async def test_nodes(self) -> None:
        """
        Nodes are no clients: they are accepted at any time.
        """
        token = self.mktemp()
        limits = Limits(max_connections=1)
        self.startEdge(node_ports=[LOOPBACK], token_file=token, limits=limits)
        client = await self.connect()
        client.write(get())
        await self.soon(20)
        address = self.startApp(webApp(answer()))
        port = self.edge.node_addresses[0].port
        settings = NodeSettings(
            f"tcp:127.0.0.1:{port}", "default", 1, app=address, token_file=token
        )
        node = NodeService(self.edge_reactor, settings, lambda status: None)
        node.startService()
        self.addCleanup(node.stopService)
        self.assertEqual((await client.answer()).status, 200)

    async def test_unix(self) -> None:
        """
        Clients on a Unix socket have no address, and the limits of addresses don't apply to
        them.
        """
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = f"{folder.name}/s"
        limits = Limits(max_connections_per_address=1, max_held_per_address=1, wake_burst=1)
        spawner = self.launch(webApp(answer()), ports=[f"unix:{path}"], limits=limits)
        endpoint = UNIXClientEndpoint(self.reactor, path)
        for number in range(3):
            peer = await endpoint.connect(Factory.forProtocol(Peer))
            self.cutLater(peer)
            peer.write(get(host=f"h{number}"))
            self.assertEqual((await peer.answer()).status, 200)
        self.assertEqual(len(spawner.orders), 3)


@onBothTransports
class HeldLimitTests(EdgeTests):
    """
    Tests of the limits of held clients.
    """

    async def hold(self, host: str, address: str = "127.0.0.1") -> Peer:
        """
        Have a client ask for an app that does not become ready.
        """
        peer = await self.connect(host=address)
        peer.write(get(host=host))
        await self.soon(5)
        return peer

    async def test_total(self) -> None:
        """
        All routes together hold at most N clients; one more gets 503.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(max_held_total=3))
        spawner.holding = True
        held = [await self.hold(host) for host in ("a", "b", "a")]
        late = await (await self.hold("c")).answer()
        self.assertEqual((late.status, late[b"retry-after"]), (503, b"1"))
        self.assertEqual([order.route for order in spawner.orders], ["a", "b", "a"])
        spawner.release()
        for peer in held:
            self.assertEqual((await peer.answer()).status, 200)

    async def test_address(self) -> None:
        """
        At most N clients of an address are held; one more gets 429, while others are held.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(max_held_per_address=2))
        spawner.holding = True
        held = [await self.hold("a"), await self.hold("b"), await self.hold("a", OTHER)]
        late = await (await self.hold("c")).answer()
        self.assertEqual((late.status, late[b"retry-after"]), (429, b"1"))
        spawner.release()
        for peer in held:
            self.assertEqual((await peer.answer()).status, 200)


@onBothTransports
class WakeLimitTests(EdgeTests):
    """
    Tests of clients that ask for hosts that they make up.
    """

    async def get(self, host: str, address: str = "127.0.0.1") -> Message:
        """
        @return: the answer that a client gets.
        """
        peer = await self.connect(host=address)
        peer.write(get(host=host))
        return await peer.answer()

    async def test_burst(self) -> None:
        """
        One address may wake N apps, and the answer to one more says when it may wake the next.
        It may use apps that run, and those that the edge was configured with; other addresses
        may wake N of their own.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(wake_burst=2, wake_rate=6))
        for host in "ab":
            self.assertEqual((await self.get(host)).status, 200)
        late = await self.get("c")
        self.assertEqual(late.status, 429)
        # A busy machine may have used some of the ten seconds.
        self.assertIn(int(late[b"retry-after"]), range(1, 11))
        self.assertEqual((await self.get("a")).status, 200)
        self.assertEqual((await self.get("localhost")).status, 200)
        self.assertEqual((await self.get("c", OTHER)).status, 200)
        self.assertEqual((await self.get("c")).status, 200)
        self.assertEqual([order.route for order in spawner.orders], ["a", "b", "default", "c"])

    async def test_named(self) -> None:
        """
        The hosts of C{--route} don't count.
        """
        hosts = ["a", "b", "c"]
        self.launch(webApp(answer()), routes=hosts, limits=Limits(wake_burst=1))
        self.assertEqual({(await self.get(host)).status for host in hosts}, {200})

    async def test_others(self) -> None:
        """
        Clients that wait for an app that another has woken don't pay for it.
        """
        spawner = self.launch(
            webApp(answer()), {"capacity": 10}, limits=Limits(wake_burst=1, wake_rate=1)
        )
        spawner.holding = True
        peers = [await self.connect() for _ in range(3)]
        for peer in peers:
            peer.write(get(host="a"))
        await self.until(lambda: spawner.orders)
        spawner.release()
        self.assertEqual([(await peer.answer()).status for peer in peers], [200] * 3)

    async def test_routes(self) -> None:
        """
        At most N routes are known; a request for one more gets 503 until one is forgotten.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(max_routes=2))
        for host in "ab":
            self.assertEqual((await self.get(host)).status, 200)
        late = await self.get("c", OTHER)
        self.assertEqual((late.status, late[b"retry-after"]), (503, b"10"))
        self.assertEqual((await self.get("a", OTHER)).status, 200)
        spawner.instances[0].end("gone")
        # Its breaker remembers it for a while.
        self.assertEqual((await self.get("c", OTHER)).status, 503)

    async def test_pushing(self) -> None:
        """
        At the global maximum of instances, an app that is in use is not stopped for a host
        that has never been served; for one that has been served, it is.
        """
        spawner = self.launch(
            webApp(answer()), max_total=1, hold_timeout=0.1, limits=Limits(wake_burst=5)
        )
        await self.woken("old", "127.0.0.3")
        spawner.instances[0].end("it was idle")
        await self.woken("real")
        for host in "xyz":
            self.assertEqual((await self.get(host, OTHER)).status, 503)
        self.assertEqual([each.order.route for each in spawner.alive], ["real"])
        await self.woken("old", "127.0.0.3")
        self.assertEqual([each.order.route for each in spawner.alive], ["old"])

    async def woken(self, host: str, address: str = "127.0.0.1") -> None:
        """
        Ask until an app serves: on a busy machine, that may take longer than the hold timeout.
        """
        while (status := (await self.get(host, address)).status) == 503:
            pass
        self.assertEqual(status, 200)

    async def test_memory(self) -> None:
        """
        However many hosts are made up, nothing is kept of them.
        """
        spawner = self.launch(webApp(answer()), limits=Limits(wake_burst=3, wake_rate=1))
        peer = await self.connect()
        for number in range(300):
            peer.write(get(host=f"h{number}"))
            status = (await peer.answer()).status
            self.assertEqual(status, 200 if number < 3 else 429)
        self.assertEqual(len(spawner.orders), 3)
        self.assertEqual(self.edge.parts.scaler.knownRoutes(), 3)
        self.assertEqual(dict(self.edge.parts.dispatch.snapshot().held), {})


class BrokenLimitTests(SynchronousTestCase):
    """
    Tests of clients that ask for hosts whose apps can't be started; no time passes.
    """

    def test_broken(self) -> None:
        """
        An app that can't be started, and is not tried again, costs nothing.
        """
        reactor = FakeReactor()
        spawner = FrontedSpawner(reactor, lambda order: Address("127.0.0.1", 1))
        spawner.failure = "no"
        limits = Limits(wake_burst=2, wake_rate=1)
        edge = MemoryEdge(reactor, spawnRule(spawner), limits=limits)
        self.addCleanup(edge.service.stopService)
        statuses = []
        for host in ("a", "a", "a", "a", "a", "b", "c"):
            client = edge.ask(get(host=host), IPv4Address("TCP", "192.0.2.7", 5))
            edge.turn()
            statuses.append(client.status)
        self.assertEqual(statuses, [503] * 6 + [429])
        self.assertEqual(len(spawner.orders), 2)
