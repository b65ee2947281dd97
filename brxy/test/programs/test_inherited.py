"""
Tests of edges that inherit their listening sockets: clients don't notice that
one edge ends and the next begins.
"""

from __future__ import annotations

import re
import shutil
import signal
import stat
import subprocess
from collections import Counter
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SkipTest

import brxy
from brxy.processes.ports import PORTS
from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.peers import Broken, Peer
from brxy.test.support.loopback.storms import LIGHT
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests

ACTIVATE = str(Path(brxy.__file__).parent / "test" / "apps" / "activate.py")

APP = f"app: capacity=20 -- {PYTHON} -I -S {LIGHT}"
POSTS = f"{APP} posts"
NODE = f"process: capacity=20 -- {TWISTD} -n brxy-node -- {PYTHON} -I -S {LIGHT}"


def queue(port: int) -> tuple[int, set[int]]:
    """
    @return: the backlog of a listening port, and the processes that have it
        open.
    """
    asked = ["ss", "-ltnpH", f"sport = :{port}"]
    line = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    return int(line.split()[2]), set(map(int, re.findall(r"pid=(\d+)", line)))


class _Probing:
    """
    Mixin with clients that send many requests.
    """

    def __init__(self, tests: ProgramTests, address: str) -> None:
        self.statuses: Counter[int] = Counter()
        self._tests = tests
        self._address = address

    async def probe(self, keep: bool = False) -> None:
        """
        Have 40 clients at a time send ten requests each.

        @param keep: send them on one connection, as long as the edge keeps it
            open.
        """
        ask = self._keepAsking if keep else self._ask
        await gatherResults(
            [Deferred.fromCoroutine(ask(10)) for _ in range(40)], consumeErrors=True
        )

    async def _ask(self, number: int) -> None:
        for _ in range(number):
            answer = await self._tests.get(self._address, "/0")
            self.statuses[answer.status] += 1

    async def _keepAsking(self, number: int) -> None:
        endpoint = clientFromString(self._tests.reactor, self._address)
        asked = 0
        while asked < number:
            peer: Peer = await endpoint.connect(Factory.forProtocol(Peer))
            keep = True
            while keep and asked < number:
                asked += 1
                peer.write(b"POST /20 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
                try:
                    answer = await peer.answer()
                except Broken:
                    self.statuses[0] += 1
                    break
                self.statuses[answer.status] += 1
                keep = not answer.values(b"connection")
            peer.close()


class ActivatedTests(ProgramTests):
    """
    Base of tests with a parent process that opens the sockets, as systemd
    does.
    """

    async def activated(self, addresses: list[str], *arguments: str) -> tuple[Program, list[str]]:
        """
        Start an edge with sockets that its parent process has opened.

        @return: the parent process, and client endpoints for the sockets.
        """
        edge = [TWISTD, "-n", "brxy-edge", *self.on, *arguments]
        program = self.start(PYTHON, "-u", ACTIVATE, *addresses, "--", *edge)
        pattern = r"listens on (?:\('(.*)', (\d+).*\)|(/.*))\n"
        await self.said(program, rf"(?:{pattern}){{{len(addresses)}}}")
        found = re.findall(pattern, program.out)
        return program, [
            f"unix:{path}" if path else f"tcp:{host}:{port}".replace("::1", r"\:\:1")
            for host, port, path in found
        ]

    async def restart(
        self, program: Program, address: str, times: int, keep: bool = False
    ) -> None:
        """
        Restart an edge several times, and send 400 probes each time.
        """
        probing = _Probing(self, address)
        for index in range(times):
            probes = Deferred.fromCoroutine(probing.probe(keep))
            await self.until(lambda: probing.statuses.total() > 400 * index + 40)  # noqa: B023
            program.signal(signal.SIGHUP)
            await probes
            await self.until(lambda: program.out.count("ended by 15") == index + 1)  # noqa: B023
        self.assertEqual(probing.statuses, {200: 400 * times})

    async def left(self, program: Program) -> None:
        """
        End the edge, and check that nothing is left.
        """
        program.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(program), 0, program.out)
        self.assertNotIn("Traceback", program.out + program.err)
        await self.until(lambda: not self.running())


@onBothTransports
class InheritedTests(ActivatedTests):
    """
    Tests of an edge that is restarted while its ports stay open.
    """

    async def test_restart(self) -> None:
        """
        400 probes are sent while an edge restarts, and all are answered with
        200.
        """
        program, [address] = await self.activated(
            ["127.0.0.1:0"], "--port", "systemd:domain=INET:index=0", "--spawn", APP
        )
        await self.restart(program, address, tier(2, 10))
        await self.left(program)

    async def test_keptAlive(self) -> None:
        """
        While an edge restarts, clients that keep their connections are all
        answered, and so are POSTs, which no client or proxy repeats.
        """
        program, [address] = await self.activated(
            ["127.0.0.1:0"], "--port", "systemd:domain=INET:name=s0", "--spawn", POSTS
        )
        await self.restart(program, address, tier(1, 5), keep=True)
        await self.left(program)

    async def test_held(self) -> None:
        """
        A request that is held when the edge begins to stop is served by that
        edge. One that comes later waits for the next edge.
        """
        program, [address] = await self.activated(
            ["127.0.0.1:0"],
            *("--port", "systemd:domain=INET:index=0"),
            *("--spawn", f"app: max=1 capacity=1 -- {self.gate()}"),
        )
        held = [self.get(address, f"/{index}") for index in range(3)]
        await self.said(program, "asked /")
        # A request that comes after them is refused: so the edge has read all of them.
        self.assertEqual((await self.get(address, host="..")).status, 400)
        program.signal(signal.SIGHUP)
        await self.said(program, r"waiting for clients to finish \(3\)")
        late = self.get(address, "/late")
        self.openGate()
        self.assertEqual([each.status for each in await gatherResults(held)], [200] * 3)
        self.assertEqual((await late).status, 200)
        # The app of the next edge received that request.
        self.assertLess(program.out.index("ended by"), program.out.index("asked /late"))
        await self.left(program)

    async def test_queue(self) -> None:
        """
        The backlog stays as long as it was made, which is the backlog of a
        port that the edge opens itself. Spawned processes don't have the
        socket.
        """
        program, [address] = await self.activated(
            ["127.0.0.1:0"],
            *("--port", "systemd:domain=INET:index=0", "--port", ANYWHERE, "--spawn", APP),
        )
        answer = await self.get(address)
        *_, own = re.findall(r"HTTPFactory starting on (\d+)\n", program.out)
        longest = min(4096, int(Path("/proc/sys/net/core/somaxconn").read_text()))
        self.assertEqual(queue(int(own))[0], longest)
        length, holders = queue(int(address.rpartition(":")[2]))
        self.assertEqual(length, longest)
        self.assertIn(program.pid, holders)
        self.assertEqual(len(holders), 2)
        self.assertNotIn(int(answer.body), holders)
        await self.left(program)


class InheritedNodePortTests(ActivatedTests):
    """
    Tests of inherited ports for nodes.
    """

    async def test_nodes(self) -> None:
        """
        While an edge restarts, all probes are answered by nodes: one that was
        spawned, and one that was started separately and whose port is
        inherited.
        """
        (self.folder / "token").write_text("secret")
        token = ("--token-file", "token")
        program, [address, nodes] = await self.activated(
            ["[::1]:0", "127.0.0.1:0"],
            *("--port", "systemd:domain=INET6:index=0"),
            *("--node-port", "systemd:domain=INET:index=1", "--spawn", NODE, *token),
        )
        node = [TWISTD, "-n", "brxy-node", *token, "--edge", nodes, "--route", "default", "-c20"]
        self.start(*node, "--", PYTHON, "-I", "-S", LIGHT)
        await self.restart(program, address, tier(1, 5))
        program.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(program), 0, program.out)
        self.assertNotIn("Traceback", program.out + program.err)

    async def test_unix(self) -> None:
        """
        A Unix socket keeps its mode, and is still there for the next edge.
        """
        path = self.folder / "nodes"
        program, [address, nodes] = await self.activated(
            ["127.0.0.1:0", str(path)],
            *("--port", "systemd:domain=INET:index=0"),
            *("--node-port", "systemd:domain=UNIX:index=1", "--spawn", NODE),
        )
        self.assertEqual((await self.get(address)).status, 200)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        await self.restart(program, address, 1)
        await self.left(program)
        self.assertTrue(path.is_socket())


class InheritedRefusalTests(ActivatedTests):
    """
    Tests of sockets that are missing or not suitable.
    """

    def _start(self, address: str, *arguments: str) -> Program:
        edge = [TWISTD, "-n", "brxy-edge", "--spawn", APP, *arguments]
        return self.start(PYTHON, "-u", ACTIVATE, address, "--", *edge)

    async def test_refused(self) -> None:
        """
        What can't be used is reported in one line.
        """
        port = ("127.0.0.1:0", "--port")
        twice = ("systemd:domain=INET:index=0", "--node-port", "systemd:domain=INET:index=0")
        stock = ("--transport", "reactor", "--node-port", "systemd:domain=UNIX:index=0")
        refused = {
            "no such socket was inherited": self._start(*port, "systemd:domain=INET:name=http"),
            "has no attribute 'AF_FOO'": self._start(*port, "systemd:domain=FOO:index=0"),
            "its domain is INET": self._start(*port, "systemd:domain=INET6:index=0"),
            "it was given to another option too, or is no socket": self._start(*port, *twice),
            "Twisted's transport would let all users connect, and remove the socket at its end": (
                self._start(f"{self.folder}/nodes", "--port", "tcp:0", *stock)
            ),
        }
        for why, program in refused.items():
            self.assertEqual(await self.ended(program), 1)
            self.assertRegex(program.err, rf"\Abrxy-edge: [^\n]*{why}\n\Z")


class SystemdTests(ProgramTests):
    """
    Tests with systemd's own activation program.
    """

    def setUp(self) -> None:
        super().setUp()
        if shutil.which("systemd-socket-activate") is None:
            raise SkipTest("needs systemd-socket-activate (apt install systemd)")

    async def test_activated(self) -> None:
        """
        The first client causes the edge to be started, and gets its answer
        from it.
        """
        address = f"127.0.0.1:{PORTS.take()}"
        kept = [f"--setenv={name}" for name in ("PYTHONPATH", self.mark.partition("=")[0])]
        edge = [TWISTD, "-n", "brxy-edge", "--port", "systemd:domain=INET:name=http"]
        program = self.start(
            *("systemd-socket-activate", "-l", address, "--fdname=http", *kept),
            *(*edge, "--spawn", APP),
        )
        await self.listening(f"tcp:{address}")
        answers = await gatherResults([self.get(f"tcp:{address}") for _ in range(3)])
        self.assertEqual([each.status for each in answers], [200] * 3)
        await self.said(program, "HTTPFactory starting")
        program.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(program), -signal.SIGTERM)
        self.assertNotIn("Traceback", program.out)
