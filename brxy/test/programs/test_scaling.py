"""
Tests of scaling with real processes: many clients at once, an edge that is
killed, and that no process is left in the end.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from brxy.test.support.loopback.crowds import get, raiseFileLimit
from brxy.test.support.loopback.peers import Message, Peer, connect
from brxy.test.support.loopback.storms import LIGHT, StormTests
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests


class NothingLeftTests(StormTests):
    """
    Tests of instances that have become idle.
    """

    async def test_apps(self) -> None:
        """
        Apps leave when they are idle for long enough, the newest as well, and
        leave no process behind.
        """
        self.launchApps(
            {"capacity": 1, "max_instances": 4, "idle_timeout": 0.4, "old_idle_timeout": 0.2}
        )
        await self._comeAndGo()

    async def test_nodes(self) -> None:
        """
        Nodes leave when they are idle for long enough, with their apps, and
        leave no process behind.
        """
        # A busy machine takes some time to give a node its first exchange.
        self.launchNodes(
            {"capacity": 1, "max_instances": 4, "idle_timeout": 2.0, "old_idle_timeout": 2.0}
        )
        await self._comeAndGo()

    async def _comeAndGo(self) -> None:
        peers = await self.crowd(4)
        for peer in peers:
            peer.write(get("/100"))
        await self.until(self.running)
        self.assertEqual(await self.statuses(peers), {200})
        await self.until(lambda: not self.running())


class _Clients(ProgramTests):
    """
    Base of tests with an edge in a process of its own, and clients.
    """

    def setUp(self) -> None:
        super().setUp()
        self._ports: dict[Program, int] = {}

    async def connect(self, edge: Program) -> Peer:
        """
        Connect to the edge; the connection is cut after the test.
        """
        if edge not in self._ports:
            self._ports[edge] = int((await self.address(edge)).rpartition(":")[2])
        peer = await connect(self.reactor, _Address(self._ports[edge]))
        self.addCleanup(lambda: Deferred.fromCoroutine(self._cut(peer)))
        return peer

    async def _cut(self, peer: Peer) -> None:
        if peer.lost is None:
            peer.abort()
            await peer.untilLost()

    async def ask(self, edge: Program, number: int, target: str = "/") -> list[Message]:
        """
        Have this many clients send a request at once, on connections that they
        keep.
        """
        peers = [await self.connect(edge) for _ in range(number)]
        for peer in peers:
            peer.write(get(target))
        return await gatherResults([Deferred.fromCoroutine(each.answer()) for each in peers])

    async def ready(self, edge: Program, number: int) -> None:
        """
        Wait until this many instances have become ready.
        """
        await self.until(lambda: edge.out.count(": ready after ") >= number)

    def orders(self, edge: Program) -> int:
        """
        @return: how many instances an edge has ordered.
        """
        return edge.out.count(": ordered\n")


class _Address:
    """
    The address of a port on loopback.
    """

    def __init__(self, port: int) -> None:
        self.host = "127.0.0.1"
        self.port = port


class ManyTests(_Clients):
    """
    Tests of many clients that stay connected, and many instances.
    """

    async def test_quiet(self) -> None:
        """
        A hundred instances serve five thousand clients that stay connected. As
        long as no client sends a request then, the edge is nearly idle.
        """
        self.addCleanup(raiseFileLimit())
        edge = self.edge(
            *("--max-instances", "100", "--max-held", "5000"),
            *("--idle-timeout", "300", "--old-idle-timeout", "300"),
            *("--spawn", f"app: capacity=1 -- {sys.executable} -I -S {LIGHT}"),
        )
        answers = await self.ask(edge, 5000, "/20")
        self.assertEqual({answer.status for answer in answers}, {200})
        await self.ready(edge, 100)
        self.assertEqual(self.orders(edge), 100)
        # Work that was just done may cause some more, and on a busy machine the kernel may make
        # a process wait for other reasons. An edge that is never quiet runs into the time-out.
        while True:
            before = _activity(edge.pid)
            await self._seconds(3)
            after = _activity(edge.pid)
            if after[0] - before[0] <= 15 and after[1] - before[1] <= 5:
                break

    async def _seconds(self, seconds: float) -> None:
        await deferLater(self.reactor, seconds)


class MultitudeTests(ProgramTests):
    """
    Tests of an edge whose limit of open files was raised for many clients.
    """

    #: How many there are, or as many as the limit of files can be raised for, less those that an
    #: edge needs otherwise. With few clients the test would show nothing.
    CLIENTS = 20_000
    LEAST = 5_000
    OTHERS = 600

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(raiseFileLimit(self.CLIENTS + self.OTHERS))
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.number = min(self.CLIENTS, files - self.OTHERS)
        if self.number < self.LEAST:
            least = self.LEAST + self.OTHERS
            raise SkipTest(f"needs {least} open files: ulimit -Hn {least}")

    async def test_held(self) -> None:
        """
        All clients are held, and one more is rejected. A node that comes up
        serves them. Those that have not been served by then hang up, and the
        edge keeps nothing of them.
        """
        token = ("--token-file", "token")
        held = ("--max-held", str(self.number), "--hold-timeout", "600")
        edge = self.edge(*held, *token)
        port = (await self.address(edge)).rpartition(":")[2]
        dial = ("--edge", await self.address(edge, "SlotFactory"))
        clients = self.start(
            PYTHON, "-m", "brxy.test.support.loopback.multitude", port, str(self.number + 1)
        )
        await self.said(clients, "held\n")
        app = ("--capacity", "10", "--", PYTHON, "-I", "-S", LIGHT)
        node = self.start(TWISTD, "-n", "brxy-node", *dial, *token, *app)
        await self.said(clients, "served\n")
        clients.closeInput()
        self.assertEqual(await self.ended(clients), 0)
        await self.until(lambda: len(os.listdir(f"/proc/{edge.pid}/fd")) < 100)
        self.assertEqual((await self.get(f"tcp:127.0.0.1:{port}")).status, 200)
        node.signal(signal.SIGTERM)
        await self.ended(node)
        await self.stopped(edge)
        self.assertNotRegex(edge.out, "#(warn|error|critical)")


def _activity(pid: int) -> tuple[int, int]:
    """
    @return: how often a process has waited for an event, and how much
        processor time it has used, in hundredths of a second.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    [waits] = [line for line in status.splitlines() if line.startswith("voluntary_ctxt_switches")]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(waits.split()[1]), int(fields[11]) + int(fields[12])


class RestartTests(_Clients):
    """
    Tests of an edge that is killed.
    """

    def launch(self) -> Program:
        """
        Start an edge that keeps its state in a file.
        """
        return self.start(
            *(PYTHON, "-m", "brxy.edge", "--port", ANYWHERE, "--node-port", "unix:nodes"),
            *("--state-dir", "state", "--capacity", "1", "--max-instances", "3"),
            *("--", "twistd", "-n", "brxy-node", "--", PYTHON, "-I", "-S", LIGHT),
        )

    async def test_killed(self) -> None:
        """
        The nodes of the killed edge serve for the next one, which starts none
        as long as they suffice.
        """
        edge = self.launch()
        await self.ask(edge, 3)
        await self.ready(edge, 3)
        before = {answer.body for answer in await self.ask(edge, 3, "/1000")}
        self.assertEqual(len(before), 3)
        edge.signal(signal.SIGKILL)
        await self.ended(edge)
        edge = self.launch()
        self.assertEqual({answer.status for answer in await self.ask(edge, 3)}, {200})
        await self.ready(edge, 3)
        after = {answer.body for answer in await self.ask(edge, 3, "/1000")}
        self.assertEqual(after, before)
        self.assertEqual(self.orders(edge), 0)
        self.assertNotIn("Traceback", edge.out)
