"""
Tests of the admin API of a running edge, over its Unix socket, by curl.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import tempfile
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutput

from brxy.edge.admin.ports import clearSocket
from brxy.edge.config.adminport import AdminPort
from brxy.errors import UsageError
from brxy.test.support.loopback.admins import AdminBase
from brxy.test.support.loopback.edges import LOOPBACK, EdgeTests
from brxy.test.support.loopback.peers import Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class AdminTests(AdminBase):
    """
    Tests of what the API shows and does.
    """

    async def slowly(self, request: Message, peer: Peer) -> None:
        """
        Answer after a moment.
        """
        await deferLater(self.reactor, 0.02)
        peer.write(answer())

    async def load(self, answers: list[int], until: Deferred[None]) -> None:
        """
        Be a client that sends one request after another on one connection, and counts how
        they are answered.
        """
        peer = await self.connect()
        while not until.called:
            peer.write(GET)
            answers.append((await peer.answer()).status)

    async def test_shown(self) -> None:
        """
        The edge, its routes and its instances are shown as they are.
        """
        self.launch(webApp(answer()), **self.admin)
        self.assertEqual(stat.S_IMODE(os.stat(self.socket).st_mode), 0o600)
        status, found = await self.curl("/v1/status")
        self.assertEqual((status, found["state"], found["instances"]["total"]), (200, "ready", 0))
        await self.ask(GET)
        _, found = await self.curl("/v1/status")
        self.assertEqual((found["totals"]["matched"], found["instances"]["ready"]), (1, 1))
        _, routes = await self.curl("/v1/routes?state=ready")
        self.assertEqual([each["host"] for each in routes["routes"]], ["default"])
        _, route = await self.curl("/v1/routes/default")
        [instance] = route["instance_list"]
        _, same = await self.curl(f"/v1/instances/{instance['ticket']}")
        self.assertEqual({**same, "age": 0}, {**instance, "age": 0})
        self.assertEqual((await self.curl("/v1/routes?host=*.example"))[1]["routes"], [])
        self.assertEqual((await self.curl("/v1/instances/nothing"))[0], 404)
        self.assertEqual((await self.curl("/readyz"))[0], 200)

    async def test_hostile(self) -> None:
        """
        What a page in a browser could send is refused.
        """
        self.launch(webApp(answer()), **self.admin)
        for options in (
            ("-H", "Host: evil.example"),
            ("-H", "Origin: http://evil.example"),
            ("-d", "min=1"),
            ("-X", "OPTIONS", "-H", "Origin: http://evil.example"),
        ):
            status, _ = await self.curl("/v1/routes/default/wake", *options)
            self.assertIn(status, (403, 415), options)
        self.assertEqual((await self.curl("/v1/status"))[1]["instances"]["total"], 0)

    async def test_events(self) -> None:
        """
        Events are sent as they happen.
        """
        self.launch(webApp(answer()), **self.admin)
        live = getProcessOutput(
            "curl",
            ["-sSN", "-m", "5", "--unix-socket", self.socket, "http://localhost/v1/events"],
            dict(os.environ),
            reactor=self.reactor,
        )
        await self.ask(GET)
        await self.post("/v1/routes/default/drain")
        await self.edge.stopService()
        lines = (await live).split(b"\n")
        events = [json.loads(each[6:])["event"] for each in lines if each.startswith(b"data: ")]
        self.assertEqual(
            [
                each
                for each in events
                if each in ("holding", "ordered", "ready", "retires", "gone")
            ],
            ["holding", "ordered", "ready", "retires", "gone"],
        )

    async def test_pause(self) -> None:
        """
        While a route is paused under load, what runs finishes, clients are held, and none
        is lost.
        """
        app = webApp(self.slowly)
        self.launch(app, {"capacity": 4, "max_instances": 2}, **self.admin)
        answers: list[int] = []
        over: Deferred[None] = Deferred()
        clients = [self.begin(self.load(answers, over)) for _ in range(6)]
        await self.until(lambda: len(answers) > 20)
        status, route = await self.post("/v1/routes/default/pause", max="20s")
        self.assertEqual((status, route["state"], route["in_flight"]), (200, "paused", 0))
        served = len(app.requests)
        await deferLater(self.reactor, 0.3)
        _, route = await self.curl("/v1/routes/default")
        self.assertEqual((route["held"], route["in_flight"]), (6, 0))
        self.assertEqual(len(app.requests), served)
        _, route = await self.post("/v1/routes/default/resume")
        self.assertEqual(route["state"] in ("ready", "held"), True)
        await self.until(lambda: len(answers) > served + 20)
        over.callback(None)
        await gatherResults(clients)
        self.assertEqual(set(answers), {200})
        self.assertEqual(len(answers), len(app.requests))

    async def test_pauseEnds(self) -> None:
        """
        A pause ends by itself, also if what runs does not finish.
        """
        never: Deferred[None] = Deferred()

        async def wait(request: Message, peer: Peer) -> None:
            await never
            peer.write(answer())

        self.launch(webApp(wait), **self.admin)
        peer = await self.connect()
        peer.write(GET)
        await self.untilInFlight()
        status, found = await self.post("/v1/routes/default/pause", max=0.2)
        self.assertEqual((status, found["state"]), (504, "ready"))
        self.assertIn("resumed", found["error"])
        never.callback(None)
        self.assertEqual((await peer.answer()).status, 200)

    async def untilInFlight(self) -> None:
        """
        Wait until an instance has a request.
        """
        while not (await self.curl("/v1/routes/default"))[1]["in_flight"]:
            pass

    async def test_stop(self) -> None:
        """
        The clients of a route that is stopped get 503 with the message, and start nothing.
        """
        spawner = self.launch(webApp(answer()), **self.admin)
        status, route = await self.post("/v1/routes/default/stop", message="back at <noon>")
        self.assertEqual((status, route["state"]), (200, "stopped"))
        reply = await self.ask(GET)
        self.assertEqual((reply.status, reply.body), (503, b"back at &lt;noon&gt;\n"))
        self.assertEqual(spawner.orders, [])
        await self.post("/v1/routes/default/resume")
        self.assertEqual((await self.ask(GET)).status, 200)

    async def test_wake(self) -> None:
        """
        Waking answers when the instances are ready; it is refused beyond the maximum.
        """
        spawner = self.launch(webApp(answer()), {"max_instances": 3}, **self.admin)
        status, route = await self.post("/v1/routes/default/wake", **{"min": 2, "for": "1m"})
        self.assertEqual((status, route["instances"]["ready"]), (200, 2))
        self.assertEqual(len(spawner.orders), 2)
        self.assertEqual((await self.post("/v1/routes/default/wake", min=4))[0], 409)
        for body in ({"min": 0}, {"min": True}, {"for": "soon"}, {"number": 1}):
            self.assertEqual((await self.post("/v1/routes/default/wake", **body))[0], 400, body)
        self.assertEqual((await self.post("/v1/routes/%5B/wake"))[0], 400)

    async def test_wakeFails(self) -> None:
        """
        It fails, with the reason, when no instance can be started.
        """

        def fail(order: object) -> Any:
            raise OSError(28, "No space left on device")

        self.launch(fail, **self.admin)
        status, found = await self.post("/v1/routes/default/wake")
        self.assertEqual((status, found["state"]), (504, "failing"))
        self.assertIn("No space left", found["error"])

    async def test_rollDrainKill(self) -> None:
        """
        A roll, a drain, and the end of an instance answer when they are done.
        """
        spawner = self.launch(webApp(answer()), **self.admin)
        await self.ask(GET)
        (first,) = spawner.alive
        status, route = await self.post("/v1/routes/default/roll")
        self.assertEqual((status, route["rolling"]), (200, False))
        (second,) = spawner.alive
        self.assertIsNot(first, second)
        status, route = await self.post("/v1/routes/default/drain")
        self.assertEqual((status, route["instance_list"], spawner.alive), (200, [], []))
        for verb in ("retire", "kill"):
            await self.ask(GET)
            (last,) = spawner.alive
            status, _ = await self.post(f"/v1/instances/{last.order.ticket}/{verb}")
            self.assertEqual((status, last.is_gone), (200, True))

    async def test_edge(self) -> None:
        """
        An edge that drains is not ready; it reloads, and takes clients again.
        """
        self.launch(webApp(answer()), **self.admin)
        reloaded = (await self.post("/v1/reload"))[1]
        self.assertEqual((reloaded["errors"], reloaded["added"]), ([], []))
        status, found = await self.post("/v1/edge/drain")
        self.assertEqual(
            (status, found), (200, {"state": "draining", "clients": 0, "exchanges": 0})
        )
        self.assertEqual((await self.curl("/readyz"))[0], 503)
        self.assertEqual((await self.curl("/healthz"))[0], 200)
        self.assertEqual((await self.ask(GET))[b"connection"], b"close")
        await self.post("/v1/edge/resume")
        self.assertEqual((await self.curl("/readyz"))[0], 200)


class NodeAdminTests(AdminTests):
    """
    The same with instances behind nodes.
    """

    spawner_type = NodeSpawner


class PortTests(EdgeTests):
    """
    Tests of the ports of the API.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "a.sock")

    def test_stale(self) -> None:
        """
        The socket of an edge that was killed is replaced, that of one that runs is not.
        """
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(self.path)
            left.listen()
            self.assertRaises(UsageError, clearSocket, self.path)
            self.assertRaises(
                UsageError, self.startEdge, admin=[AdminPort(f"unix:{self.path}:lockfile=0")]
            )
        self.startEdge(admin=[AdminPort(f"unix:{self.path}:lockfile=0")])
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_file(self) -> None:
        """
        What is no socket stays.
        """
        with open(self.path, "w"):
            pass
        clearSocket(self.path)
        self.assertTrue(os.path.exists(self.path))

    def test_unprotected(self) -> None:
        """
        Over TCP a token is needed, and loopback or TLS.
        """
        token = os.path.join(self.folder, "token")
        everywhere = [AdminPort("tcp:0:interface=0.0.0.0")]
        for settings, said in (
            ({"admin": [AdminPort(LOOPBACK)]}, "give --admin-token-file"),
            ({"admin": everywhere}, "give --admin-token-file"),
            ({"admin": everywhere, "admin_token_file": token}, "can be reached from elsewhere"),
        ):
            error = self.assertRaises(UsageError, self.startEdge, **settings)
            self.assertIn(said, str(error))

    async def test_token(self) -> None:
        """
        With the token, the API is served on loopback.
        """
        token = os.path.join(self.folder, "token")
        self.startEdge(admin=[AdminPort(LOOPBACK)], admin_token_file=token)
        self.assertEqual(stat.S_IMODE(os.stat(token).st_mode), 0o600)
        [address] = self.edge.parts.admin.addresses
        with open(token) as file:
            secret = file.read().strip()
        for options, status in (
            ([], b"401"),
            (["-H", "Authorization: Bearer wrong"], b"401"),
            (["-H", f"Authorization: Bearer {secret}"], b"200"),
        ):
            url = f"http://127.0.0.1:{address.port}/v1/status"
            given = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", *options, url]
            found = await getProcessOutput("curl", given, dict(os.environ), reactor=self.reactor)
            self.assertEqual(found, status)
