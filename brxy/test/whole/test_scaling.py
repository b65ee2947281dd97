"""
Tests of scaling, with a complete edge: from zero, up to a limit, one instance
after another, and down to zero.
"""

from __future__ import annotations

from select import POLLOUT, poll
from socket import socket

from twisted.internet.defer import Deferred

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.crowds import CrowdTests, ManyAppsTests, get
from brxy.test.support.loopback.edges import LOOPBACK
from brxy.test.support.loopback.peers import App, Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner, PatientSpawner


def gatedApp() -> tuple[App, Deferred[None]]:
    """
    @return: an app, and a Deferred that it waits for before it answers.
    """
    gate: Deferred[None] = Deferred()

    async def respond(_: Message, peer: Peer) -> None:
        if not gate.called:
            passed: Deferred[None] = Deferred()
            gate.addCallback(lambda _: passed.callback(None))
            await passed
        peer.write(answer())

    return webApp(respond), gate


class FromZeroTests(CrowdTests):
    """
    Tests that the edge orders as many instances as the clients need, and no
    more.
    """

    async def _allServed(self, clients: int, capacity: int, spawns: int) -> None:
        app, gate = gatedApp()
        rule = {"capacity": capacity, "max_instances": 50}
        spawner = self.launch(app, rule, limits=Limits(max_held=clients))
        spawner.holding = True
        peers = await self.hold(clients)
        # The edge gives the orders to the spawner a few at a time.
        await self.until(lambda: len(spawner.orders) >= spawns)
        self.assertEqual(len(spawner.orders), spawns)
        spawner.release()
        # The app gets all of them at the same time.
        await self.until(lambda: len(app.requests) == clients)
        gate.callback(None)
        self.assertEqual(await self.statuses(peers), {200})
        self.assertEqual(len(spawner.orders), spawns)

    async def test_thousand(self) -> None:
        """
        A thousand clients at once, with fifty for each instance, make twenty
        orders, and all of them are served.
        """
        await self._allServed(1000, 50, 20)

    async def test_inTurn(self) -> None:
        """
        At the maximum of instances, clients are served in the order of their
        arrival.
        """
        gates: list[Deferred[None]] = []

        async def respond(_: Message, peer: Peer) -> None:
            gate: Deferred[None] = Deferred()
            gates.append(gate)
            await gate
            peer.write(answer())

        app = webApp(respond)
        spawner = self.launch(app, {"max_instances": 5}, limits=Limits(max_held=100))
        spawner.holding = True
        peers = await self.hold(100)
        spawner.release()
        await self.until(lambda: len(gates) == 5)
        for number in range(5, 100):
            gates[number - 5].callback(None)
            await self.until(lambda: len(gates) > number)  # noqa: B023
            self.assertEqual(len(gates), number + 1)
        for gate in gates[-5:]:
            gate.callback(None)
        self.assertEqual(await self.statuses(peers), {200})
        # The edge numbers requests in the order of their arrival, unless they have an id.
        came = [int(request[b"x-request-id"].split(b"-")[-1], 16) for request in app.requests]
        self.assertEqual(came[5:], sorted(came)[5:])
        self.assertEqual(len(spawner.orders), 5)


class RushTests(CrowdTests):
    """
    Tests of many clients at the same moment.
    """

    def test_connect(self) -> None:
        """
        No client has to connect twice: connections wait in the queue, however
        busy the edge is.
        """
        edge = self.startEdge(node_ports=[LOOPBACK])
        for address in (*edge.addresses, *edge.node_addresses):
            for _ in range(500):
                client = socket()
                self.addCleanup(client.close)
                client.setblocking(False)
                client.connect_ex((address.host, address.port))
                # The client is connected, although the edge has not accepted it yet.
                connected = poll()
                connected.register(client, POLLOUT)
                self.assertEqual(connected.poll(1000), [(client.fileno(), POLLOUT)])


class DownTests(ManyAppsTests):
    """
    Tests that instances which are not needed leave.
    """

    async def test_newestFirst(self) -> None:
        """
        The newest instance is used first. Older ones become idle and leave.
        """
        spawner = self.launch(self.newApp, {"old_idle_timeout": 0.3})
        peers = await self.crowd(3)
        for peer in peers:
            peer.write(get("/100"))
        self.assertEqual(await self.statuses(peers), {200})
        self.assertEqual(self.served(), [1, 1, 1])
        while len(spawner.alive) > 1:
            self.assertEqual((await self.ask(get())).status, 200)
        self.assertEqual(self.served()[:2], [1, 1])
        self.assertEqual(spawner.alive, spawner.instances[2:])

    async def test_toZero(self) -> None:
        """
        When no client comes for long enough, the newest instance leaves as
        well, and the next client causes another start.
        """
        spawner = self.launch(self.newApp, {"idle_timeout": 0.2, "old_idle_timeout": 0.1})
        for total in (2, 4):
            peers = await self.crowd(2)
            for peer in peers:
                peer.write(get("/50"))
            self.assertEqual(await self.statuses(peers), {200})
            await self.until(lambda: not spawner.alive)
            self.assertEqual(len(spawner.orders), total)


class DownByNodesTests(DownTests):
    """
    Tests that nodes which are not needed leave.
    """

    spawner_type = PatientSpawner


class MaxTotalTests(ManyAppsTests):
    """
    Tests that routes share the maximum of all instances.
    """

    async def test_makesRoom(self) -> None:
        """
        An idle instance of another route leaves to make room, and one that
        serves does not.
        """
        spawner = self.launch(self.newApp, max_total=2)
        peers = await self.crowd(3)
        peers[0].write(get("/0", "idle.example"))
        self.assertEqual((await peers[0].answer()).status, 200)
        peers[1].write(get("/gate", "busy.example"))
        await self.until(lambda: self.served() == [1, 1])
        peers[2].write(get("/0", "new.example"))
        self.assertEqual((await peers[2].answer()).status, 200)
        self.gate.callback(None)
        self.assertEqual((await peers[1].answer()).status, 200)
        self.assertEqual(
            [each.order.route for each in spawner.alive], ["busy.example", "new.example"]
        )

    async def test_never(self) -> None:
        """
        There are never more instances than that, whatever clients request.
        """
        spawner = self.launch(self.newApp, max_total=3)
        most = 0
        for turn in range(4):
            peers = await self.crowd(12)
            for number, peer in enumerate(peers):
                peer.write(get("/10", f"r{(number + turn) % 6}.example"))
            waiting = self.answers(peers)
            answers = Deferred.fromCoroutine(waiting)
            while not answers.called:
                most = max(most, len(spawner.alive))
                await self.soon()
            self.assertEqual({message.status for message in await answers}, {200})
        self.assertEqual(most, 3)


class MaxTotalByNodesTests(MaxTotalTests):
    """
    Tests that routes with nodes share the maximum of all instances.
    """

    spawner_type = NodeSpawner
