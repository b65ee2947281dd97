"""
Tests of an edge with many hostile clients: real processes, real tools.

The latency of other clients meanwhile, and the cost, are written to trial's
log. On a busy machine nothing can be guaranteed about them.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import shutil
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python import log
from twisted.trial.unittest import SkipTest

import brxy
from brxy.test.support.loopback.crowds import get, raiseFileLimit
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Peer, connect
from brxy.test.support.loopback.storms import LIGHT
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests

#: The path of the app that serves any number of slow clients.
PATIENT = str(Path(brxy.__file__).parent / "test" / "apps" / "patient.py")

_MiB = 1024


def memory(pid: int) -> int:
    """
    @return: how much memory a process uses now, in KiB.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def cpu(pid: int) -> float:
    """
    @return: how much processor time a process has used, in seconds.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """
    @return: how many file descriptors a process has open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


class _Address:
    """
    The address of a port.
    """

    host = "127.0.0.1"

    def __init__(self, endpoint: str) -> None:
        self.port = int(endpoint.rpartition(":")[2])


class FloodTests(ProgramTests):
    """
    Base of the tests with floods of clients.

    @ivar port: where clients connect.
    """

    timeout = 600

    async def launch(self, *arguments: str) -> Program:
        """
        Start an edge.
        """
        edge = self.edge(*arguments)
        self.port = _Address(await self.address(edge))
        return edge

    async def client(self, host: str = "127.0.0.1") -> Peer:
        """
        Connect to the edge; the connection is cut after the test.
        """
        peer = await connect(self.reactor, self.port, host)
        self.addCleanup(peer.abort)
        return peer

    async def ask(self, peer: Peer, target: str = "/", host: str = "localhost") -> int:
        """
        @return: the status of a client's response.
        """
        peer.forget()
        peer.write(get(target, host))
        return (await peer.answer()).status

    async def watch(
        self, name: str, edge: Program, until: Deferred[Any], host: str = "localhost"
    ) -> int:
        """
        Have a well-behaved client send requests until something has happened.
        Each one is answered.

        @return: the largest memory size of the edge meanwhile, in KiB.
        """
        peer = await self.client("127.0.0.2")
        times = []
        most, began, ran = 0, time.monotonic(), cpu(edge.pid)
        while not until.called:
            asked = time.monotonic()
            self.assertEqual(await self.ask(peer, "/20", host), 200)
            times.append(time.monotonic() - asked)
            most = max(most, memory(edge.pid))
            await deferLater(self.reactor, 0.01)
        times.sort()
        p50, p99 = (times[int(part * len(times))] * 1e3 for part in (0.5, 0.99))
        ran, took = cpu(edge.pid) - ran, time.monotonic() - began
        log.msg(
            f"{name}: {len(times)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms; the edge ran "
            f"{ran:.1f} s of {took:.1f}, and had {most // _MiB} MiB"
        )
        return most

    def after(self, seconds: float) -> Deferred[None]:
        """
        @return: fires after this many seconds.
        """
        return deferLater(self.reactor, seconds)


@onBothTransports
class SlowlorisTests(FloodTests):
    """
    Tests with slowhttptest: connections that do everything as slowly as they
    can.
    """

    CONNECTIONS = tier(200, 1000)

    #: Seconds for each thing that a client has to do: enough for all of them to be connected
    #: before the first is cut off, however busy the machine is.
    TIMES = (
        *("--head-timeout", str(tier(4, 15)), "--body-timeout", str(tier(4, 30))),
        *("--write-timeout", str(tier(4, 60))),
    )

    def setUp(self) -> None:
        if shutil.which("slowhttptest") is None:
            raise SkipTest("needs slowhttptest (apt-get install slowhttptest)")
        super().setUp()
        self.addCleanup(raiseFileLimit())

    async def attack(self, mode: str, path: str, *arguments: str) -> None:
        """
        Open this many slow connections, and serve another client until all of
        them have been cut off.
        """
        app = f"app: capacity=2000 -- {sys.executable} -I -S {PATIENT}"
        edge = await self.launch(*self.TIMES, "--spawn", app)
        self.assertEqual(await self.ask(await self.client()), 200)
        before = await self.watch(f"before {mode}", edge, self.after(tier(0.5, 15.0)))
        # On another machine the attacker would not compete with the edge for processor time.
        slow = self.start(
            *("chrt", "--idle", "0", "slowhttptest", mode),
            *("-c", str(self.CONNECTIONS), "-r", str(self.CONNECTIONS)),
            *("-l", "300", "-p", "30", *arguments),
            *("-u", f"http://127.0.0.1:{self.port.port}{path}"),
        )
        cut = Deferred.fromCoroutine(self.untilCut(edge))
        most = await self.watch(f"during {mode}", edge, cut)
        # Twisted's transport buffers up to 128 KiB for a client that does not read.
        growth = 50 if self.transport == "epoll" else 150
        self.assertLess(most - before, growth * _MiB)
        # slowhttptest does not notice that slow readers were cut off.
        if slow.status is None:
            slow.signal(signal.SIGKILL)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)

    async def untilCut(self, edge: Program) -> None:
        """
        Wait until most of them are connected, and then until none is left.
        """
        # Counting takes long enough to disturb the measurements that run meanwhile.
        while descriptors(edge.pid) < 0.8 * self.CONNECTIONS:
            await deferLater(self.reactor, 0.1)
        while descriptors(edge.pid) > 100:
            await deferLater(self.reactor, 0.1)

    async def test_heads(self) -> None:
        """
        Requests whose heads never end.
        """
        await self.attack("-H", "/", "-i", "1", "-x", "24")

    async def test_bodies(self) -> None:
        """
        Requests whose bodies never end.
        """
        await self.attack("-B", "/", "-i", "5", "-x", "8", "-s", "8192")

    async def test_readers(self) -> None:
        """
        Clients that read their answers very slowly.
        """
        await self.attack("-X", "/10000000", "-n", "5", "-z", "8", "-w", "8", "-y", "64")


@onBothTransports
class ScannerTests(FloodTests):
    """
    Tests of a client that requests names which it makes up.
    """

    REQUESTS = tier(5_000, 100_000)

    async def test_random(self) -> None:
        """
        The scanner starts no more instances than the limits allow, and ends
        none that another client uses. That client notices nothing, and the
        edge keeps no state of the made-up names.
        """
        edge = await self.launch(
            *("--max-total", "10", "--hold-timeout", "2"),
            *("--spawn", f"app: -- {sys.executable} -I -S {LIGHT}"),
        )
        real = await self.client("127.0.0.2")
        # On a busy machine its app may need longer to start than the edge waits for it.
        while (status := await self.ask(real, host="real.example")) == 503:
            pass
        self.assertEqual(status, 200)
        began = time.monotonic()
        counts: Counter[int] = Counter()
        await self.scan(500, counts)
        before = memory(edge.pid)
        scanning = Deferred.fromCoroutine(self.scan(self.REQUESTS, counts))
        most = await self.watch("scanned", edge, scanning, "real.example")
        log.msg(f"a scanner got {dict(counts)}, memory from {before} to {most} KiB")
        minutes = (time.monotonic() - began) / 60
        real_orders = len(re.findall(r"real\.example/\w+: ordered", edge.out))
        woken = edge.out.count(": ordered") - real_orders
        self.assertLessEqual(woken, 20 + 6 * minutes)
        self.assertEqual(set(counts) - {200, 429, 503}, set())
        self.assertGreater(counts[429], self.REQUESTS // 2)
        self.assertLess(most - before, 10 * _MiB)
        self.assertEqual(real_orders, 1)
        await self.stopped(edge)

    async def scan(self, number: int, counts: Counter[int]) -> None:
        """
        Send requests for this many names.

        @param counts: how often each status was received.
        """

        async def ask(names: Iterator[int]) -> None:
            peer = await self.client()
            for name in names:
                counts[await self.ask(peer, host=f"h{number}-{name}.example")] += 1

        names = iter(range(number))
        await gatherResults([Deferred.fromCoroutine(ask(names)) for _ in range(20)])


@onBothTransports
class DescriptorTests(FloodTests):
    """
    Tests of an edge that has few file descriptors and many clients.
    """

    CLIENTS = 400

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(raiseFileLimit())

    def crowd(self, number: int) -> list[socket.socket]:
        """
        Open this many connections, and send a request on each.
        """
        crowd = []
        for _ in range(number):
            client = socket.create_connection((self.port.host, self.port.port))
            self.addCleanup(client.close)
            client.setblocking(False)
            client.send(get("/0"))
            crowd.append(client)
        return crowd

    async def served(self, crowd: list[socket.socket]) -> None:
        """
        Wait until all of these have been served. Each disconnects then.
        """
        while crowd:
            for client in list(crowd):
                with contextlib.suppress(BlockingIOError):
                    self.assertRegex(client.recv(65536), b"^HTTP/1.1 200 ")
                    client.close()
                    crowd.remove(client)
            await deferLater(self.reactor, 0.01)

    async def isQuiet(self, edge: Program) -> None:
        """
        While connections wait to be accepted, the edge does not spin.
        """
        ran = cpu(edge.pid)
        await deferLater(self.reactor, 2)
        ran = cpu(edge.pid) - ran
        log.msg(f"with clients waiting, the edge ran {ran:.2f} of 2 s")
        self.assertLess(ran, 1)

    async def node(self, edge: Program) -> Program:
        """
        Start a node for the default route.
        """
        dial = ("--edge", await self.address(edge, "SlotFactory"), "--token-file", "token")
        app = ("--capacity", "5", "--", PYTHON, "-I", "-S", LIGHT)
        return self.start(TWISTD, "-n", "--pidfile=", "brxy-node", *self.on, *dial, *app)

    async def test_few(self) -> None:
        """
        With C{ulimit -n 256} the edge admits only as many clients as leave
        room for a node. The node serves them, and then the edge admits the
        others.
        """
        ports = ("--port", ANYWHERE, "--node-port", ANYWHERE, "--token-file", "token")
        edge = self.start("prlimit", "--nofile=256", TWISTD, "-n", "brxy-edge", *self.on, *ports)
        self.port = _Address(await self.address(edge))
        crowd = self.crowd(self.CLIENTS)
        await self.said(edge, "128 clients are connected, the maximum: ")
        await self.isQuiet(edge)
        node = await self.node(edge)
        await self.served(crowd)
        self.assertNotIn("can't accept", edge.out)
        node.signal(signal.SIGTERM)
        await self.ended(node)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)

    async def test_fewer(self) -> None:
        """
        C{prlimit --nofile=64} is set on an edge that has more descriptors open
        than that. No client is admitted until most have left, and then as many
        as the limit allows. A node that connects then is admitted, too.
        """
        edge = await self.launch("--token-file", "token", "--max-held", str(self.CLIENTS - 1))
        crowd = self.crowd(self.CLIENTS)
        # One of them is rejected, as soon as all others are held.
        answers = select.poll()
        for client in crowd:
            answers.register(client, select.POLLIN)
        await self.until(lambda: answers.poll(0))
        _, hard = resource.prlimit(edge.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, (64, hard))
        others = self.crowd(100)
        await self.said(edge, "400 clients are connected, the maximum: ")
        await self.isQuiet(edge)
        for client in crowd:
            client.close()
        await self.until(lambda: 40 < descriptors(edge.pid) < 64)
        await self.isQuiet(edge)
        node = await self.node(edge)
        await self.served(others)
        self.assertNotIn("can't accept", edge.out)
        node.signal(signal.SIGTERM)
        await self.ended(node)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)
