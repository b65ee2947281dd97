"""
Tests of hostile situations: crowds, kills, cut links, jumping clocks, full
disks, and instances that start and stop meanwhile. See C{doc/hostile.rst}. A
node that was stopped by SIGSTOP is tested in L{brxy.test.whole.test_storms}.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from shutil import which
from unittest import SkipTest

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from brxy.edge.config.limits import Limits
from brxy.test.support.loopback.crowds import CrowdTests, ManyAppsTests, get
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Message, Peer, answer, webApp
from brxy.test.support.loopback.spawning import NodeSpawner, PatientSpawner
from brxy.test.support.loopback.storms import LIGHT, StormTests, nodeOf
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.processes.programs import PYTHON, TWISTD, Program, ProgramTests

#: A port in a network namespace of the test's own.
NODE_PORT = 9080


@onBothTransports
class FromZeroTests(CrowdTests):
    """
    Tests of many clients at once for an app without an instance.
    """

    async def test_thousandFirstRequests(self) -> None:
        """
        A thousand clients at once, where one instance can serve them all: one
        is spawned.
        """
        app = webApp(answer())
        rule = {"capacity": 1000, "max_instances": 50}
        spawner = self.launch(app, rule, limits=Limits(max_held=1000))
        spawner.holding = True
        peers = await self.hold(1000)
        spawner.release()
        self.assertEqual(await self.statuses(peers), {200})
        self.assertEqual((len(spawner.orders), len(app.requests)), (1, 1000))


@onBothTransports
class QueueTests(CrowdTests):
    """
    Tests of more clients than slots, from zero.
    """

    spawner_type = NodeSpawner

    async def test_hundredSlowOnes(self) -> None:
        """
        A hundred requests at once of 300 ms each are all served, at capacity
        1.
        """
        running: list[int] = [0, 0]

        async def respond(_: Message, peer: Peer) -> None:
            running[0] += 1
            running[1] = max(running)
            await deferLater(self.reactor, 0.3)
            running[0] -= 1
            peer.write(answer())

        spawner = self.launch(webApp(respond), {"max_instances": 20})
        peers = await self.crowd(100)
        for peer in peers:
            peer.write(get())
        self.assertEqual(await self.statuses(peers), {200})
        self.assertEqual((len(spawner.orders), running[1]), (20, 20))


@onBothTransports
class ScaleDownTests(ManyAppsTests):
    """
    Tests of instances that start and stop under load.
    """

    spawner_type = PatientSpawner
    timeout = 600

    async def test_staggered(self) -> None:
        """
        No response is lost, although some take long and no request is sent
        twice.
        """
        longest = tier(300, 12_000)
        rule = {"old_idle_timeout": longest / 6000}
        spawner = self.launch(self.newApp, rule, retries=0, hold_timeout=300.0)
        done: list[int] = []

        async def client(number: int) -> None:
            peer = await self.connect()
            turn = 0
            while len(spawner.instances) - len(spawner.alive) < 6 or turn < 4:
                share = (37 * number + 61 * turn) % 180 / 180
                peer.write(get(f"/{longest * share:.0f}"))
                done.append((await peer.answer()).status)
                pause = (53 * number + 29 * turn) % 90 / 180
                await deferLater(self.reactor, longest * pause / 1000)
                turn += 1

        await gatherResults([Deferred.fromCoroutine(client(number)) for number in range(8)])
        self.assertEqual(set(done), {200})


@onBothTransports
class ExitTests(StormTests):
    """
    Tests of an app that exits at once.
    """

    async def test_exitsAtOnce(self) -> None:
        """
        All clients that are held for the app are rejected with a time after
        which to try again. A client that does so is served if the app starts
        by then.
        """
        fail, work = self.folder / "fail", self.folder / "work"
        light = " ".join(self.command)
        os.mkfifo(fail)
        waiting = f"read word < {fail}; echo no such module >&2; exit 1"
        script = f"if [ -e {work} ]; then exec {light}; fi; {waiting}"
        self.command = ["/bin/sh", "-c", script]
        self.launchApps({"capacity": 500, "max_instances": 10}, limits=Limits(max_held=500))
        peers = await self.hold(500)
        await self.until(self.running)
        self.assertEqual(len(self.running()), 1)
        fail.write_text("now\n")
        answers = await self.answers(peers)
        self.assertEqual({answer.status for answer in answers}, {503})
        self.assertEqual({answer[b"retry-after"] for answer in answers}, {b"1"})
        work.touch()
        while (answer := await self.ask(get())).status == 503:
            await self.pause(int(answer[b"retry-after"]))
        self.assertEqual(answer.status, 200)
        self.assertEqual(len(self.running()), 1)


@onBothTransports
class KillTests(StormTests):
    """
    Tests of C{kill -9} after the whole POST was sent.
    """

    async def killed(self, node: bool) -> None:
        """
        The client gets 502, the app gets the POST once, and the next request
        is served.
        """
        reply = await self.ask(get())
        pid = int(reply.body)
        client = await self.connect()
        client.write(self.customers.post().replace(b" /20?", b" /20000?"))
        await self.until(self.posts)
        os.kill(nodeOf(pid) if node else pid, signal.SIGKILL)
        self.assertEqual((await client.answer()).status, 502)
        self.assertEqual((await self.ask(get())).status, 200)
        self.assertEqual(list(self.posts().values()), [1])

    async def test_node(self) -> None:
        """
        The node is killed.
        """
        self.launchNodes({"max_instances": 1})
        await self.killed(True)

    async def test_appOfNode(self) -> None:
        """
        The app beside a node is killed.
        """
        self.launchNodes({"max_instances": 1})
        await self.killed(False)

    async def test_app(self) -> None:
        """
        An app that the edge fronts is killed.
        """
        self.launchApps({"max_instances": 1})
        await self.killed(False)


@onBothTransports
class RestartTests(StormTests):
    """
    Tests of nodes that restart gracefully.
    """

    async def test_probes(self) -> None:
        """
        Four hundred probes are sent meanwhile, none of which may be offered
        twice: all get 200.
        """
        self.launchNodes({"capacity": 2, "max_instances": 2}, retries=0)
        self.customers.come(4, lambda: get("/10"))
        await self.serving(2)
        stopped: set[int] = set()
        while self.customers.answers.total() < 400 or len(stopped) < 4:
            [pid, *_] = [pid for pid in self.alive() if pid not in stopped] or [0]
            if pid:
                os.kill(nodeOf(pid), signal.SIGTERM)
                stopped.add(pid)
            await self.answered(40)
        await self.customers.leave()
        self.assertEqual(set(self.customers.answers), {200})


class _ProcessTests(ProgramTests):
    """
    Base of tests with an edge in a process and an environment of its own.
    """

    #: The command that creates that environment.
    within: tuple[str, ...] = ()

    def setUp(self) -> None:
        super().setUp()
        self.clients = f"unix:{self.folder}/clients"
        self.light = f"{PYTHON} -I -S {LIGHT}"

    async def launch(
        self, *arguments: str, before: str = "", twistd: Sequence[str] = (), **environ: str
    ) -> Program:
        """
        Start an edge.

        @param before: shell commands to run first.
        @param twistd: options of twistd.
        """
        edge = (TWISTD, "-n", *twistd, "brxy-edge", *self.on)
        shell = ("sh", "-c", f'{before} exec "$@"', "sh")
        ports = ("--port", self.clients)
        program = self.start(*self.within, *shell, *edge, *ports, *arguments, **environ)
        # In its own namespace it may be the only one there. The flag shows that it listens, see
        # proc(5).
        sockets = Path(f"/proc/{program.pid}/net/unix")
        listening = re.compile(rf" 00010000 .* {self.folder}/clients$", re.MULTILINE)
        await self.until(lambda: listening.search(sockets.read_text()))
        return program

    async def pid(self) -> int:
        """
        @return: the process of the app that answers.
        """
        reply = await self.get(self.clients)
        self.assertEqual(reply.status, 200)
        return int(reply.body)


@onBothTransports
class CutLinkTests(_ProcessTests):
    """
    Tests of a link that is cut silently, by C{iptables} in a network
    namespace.
    """

    timeout = 300
    within = ("unshare", "--net")

    def setUp(self) -> None:
        super().setUp()
        for program, package in (("ip", "iproute2"), ("iptables", "iptables")):
            if which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
                raise SkipTest(f"needs {program}: apt install {package}")
        if subprocess.run(["unshare", "--net", "iptables", "-S"], capture_output=True).returncode:
            raise SkipTest("needs a kernel that lets iptables work in a network namespace")

    async def launchTwo(self) -> Program:
        """
        Start an edge with two nodes.
        """
        twistd = f"{TWISTD} -n brxy-node -- {self.light}"
        edge = await self.launch(
            *("--node-port", f"tcp:{NODE_PORT}:interface=127.0.0.1", "--spawn", twistd),
            *("--capacity", "1", "--max-instances", "2", "--old-idle-timeout", "300"),
            before="ip link set lo up;",
        )
        both = [self.get(self.clients, "/300") for _ in range(2)]
        self.assertEqual({(await each).status for each in both}, {200})
        # One node may have served both.
        await self.until(lambda: edge.out.count(": ready after ") == 2)
        return edge

    def ports(self, node: int, owned: bool) -> set[int]:
        """
        @return: the node's ends of its connections to the edge.

        @param owned: only those that are the node's own, and not its
            siblings'.
        """
        links = glob(f"/proc/{node}/fd/*")
        sockets = {os.readlink(path) for path in links if os.path.lexists(path)}
        rows = [row.split() for row in Path(f"/proc/{node}/net/tcp").read_text().splitlines()[1:]]
        return {
            int(row[1].rpartition(":")[2], 16)
            for row in rows
            if row[3] == "01" and row[2].endswith(f":{NODE_PORT:04X}")
            if not owned or f"socket:[{row[9]}]" in sockets
        }

    def cut(self, node: int) -> set[int]:
        """
        Drop all packets of a node's slots from now on.

        @return: its ports.
        """
        ports = self.ports(node, True)
        self.assertTrue(ports)
        inside = ("nsenter", f"--net=/proc/{node}/ns/net")
        for port in ports:
            for side in ("--sport", "--dport"):
                rule = ("-A", "INPUT", "-p", "tcp", side, str(port), "-j", "DROP")
                subprocess.run([*inside, "iptables", *rule], check=True)
        return ports

    async def test_cut(self) -> None:
        """
        A cut link is noticed soon after an exchange was offered over it, and
        later when it is idle or carries an exchange.
        """
        for way in (self.offered, self.idle, self.atWork)[: tier(1, 3)]:
            await way(await self.launchTwo())
            await self._endAll()
            (self.folder / "clients").unlink()

    async def offered(self, edge: Program) -> None:
        """
        An exchange that was offered over the link and not accepted is served
        by another node.
        """
        newest = await self.pid()
        self.cut(nodeOf(newest))
        other = await self.pid()
        self.assertNotEqual(other, newest)
        self.assertIn("unresponsive, gets no more exchanges", edge.out)
        self.assertEqual(await self.pid(), other)

    async def idle(self, edge: Program) -> None:
        """
        An idle slot is found dead by TCP.
        """
        node = nodeOf(await self.pid())
        ports = self.cut(node)
        await self.until(lambda: not ports & self.ports(node, False))
        await self.pid()

    async def atWork(self, edge: Program) -> None:
        """
        A running exchange is lost after half a minute, and is served by
        another node.
        """
        newest = await self.pid()
        running = self.get(self.clients, "/3000")
        await deferLater(self.reactor, 1)
        self.cut(nodeOf(newest))
        reply = await running
        self.assertEqual((reply.status, int(reply.body) != newest), (200, True))


@onBothTransports
class ClockTests(_ProcessTests):
    """
    Tests of a machine whose clock jumps. C{libfaketime} makes the edge and its
    nodes see that.
    """

    def setUp(self) -> None:
        super().setUp()
        found = glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not found:
            raise SkipTest("needs libfaketime: apt install faketime")
        self.now = self.folder / "now"
        self.environ = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self.now),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    async def test_jumps(self) -> None:
        """
        Timers neither freeze nor fire all at once: an idle instance leaves,
        the next client causes another start, and nothing is done in vain.
        """
        self.now.write_text("+0")
        # Python's own sleep() fails under it.
        spawn = f"{TWISTD} -n brxy-node -- env -u LD_PRELOAD {self.light}"
        edge = await self.launch(
            *("--node-port", "unix:nodes", "--spawn", spawn, "--idle-timeout", "3"),
            **self.environ,
        )
        for number, jump in enumerate(("+0", "+400d", "-2d", "+0")):
            before = await self.pid()
            self.now.write_text(jump)
            self.assertEqual(await self.pid(), before)
            used = _cpuTime(edge.pid)
            await self.until(lambda: edge.out.count(": gone: ") == number + 1)  # noqa: B023
            self.assertLess(_cpuTime(edge.pid) - used, 50)
        # The edge has seen the jumps.
        years = set(re.findall(r"^(\d{4})-", edge.out, re.MULTILINE))
        self.assertGreater(len(years), 1)
        await self.stopped(edge)


def _cpuTime(pid: int) -> int:
    """
    @return: the processor time of a process, in hundredths of a second.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@onBothTransports
class FullDiskTests(_ProcessTests):
    """
    Tests of a full disk under the log: a small one, in a mount namespace.
    """

    within = ("unshare", "--mount")

    def setUp(self) -> None:
        super().setUp()
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
            raise SkipTest("needs root, for a mount namespace")

    async def test_servesOn(self) -> None:
        """
        The edge serves, and starts and stops instances, as before.
        """
        (self.folder / "log").mkdir()
        edge = await self.launch(
            *("--spawn", f"app: -- {self.light}", "--idle-timeout", "0.1"),
            before="mount -t tmpfs -o size=64k none log; head -c 56k /dev/zero > log/others;",
            twistd=("--logfile=log/edge",),
        )
        disk = f"/proc/{edge.pid}/root{self.folder}/log"
        while os.statvfs(disk).f_bavail:
            await self.pid()
            await self.until(lambda: len(self.running()) == 1)
        for _ in range(3):
            before = await self.pid()
            await self.until(lambda: len(self.running()) == 1)
            self.assertNotEqual(await self.pid(), before)
        edge.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(edge), -signal.SIGTERM)
        self.assertNotIn("Traceback", edge.out)
