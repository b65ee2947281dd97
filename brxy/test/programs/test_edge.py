"""
Tests of the command lines with real processes: how they start, serve and stop.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionRefusedError

from brxy.edge.config.options import Options as EdgeOptions
from brxy.node.tap import Options as NodeOptions
from brxy.test.support.processes.programs import (
    ANYWHERE,
    DEMO,
    PYTHON,
    TWISTD,
    Answer,
    Program,
    ProgramTests,
)

_NODE = f"twistd -n brxy-node -- python {DEMO}"
_APP = f"app: -- python {DEMO}"


class StartTests(ProgramTests):
    """
    Tests of the ways to start an edge and nodes.
    """

    async def _serves(self, edge: Program) -> None:
        answer = await self.get(await self.address(edge))
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("Hello from process", answer.body)

    async def test_nodes(self) -> None:
        """
        An edge and the nodes that it starts share a folder, write no pidfile,
        and log each step of an instance's life in order. At the end only the
        edge is running.
        """
        edge = self.edge("--idle-timeout", "2", "--spawn", _NODE)
        await self._serves(edge)
        await self.said(edge, "gone: exit status 0")
        # On a busy machine the first instance may be idle for too long before it serves.
        await self.until(lambda: self.running() == [edge.pid])
        self.assertEqual(list(self.folder.glob("*.pid")), [])
        steps = (
            "default: holding clients until an instance is ready",
            r"default/(\w+): ordered",
            r"default/\1: node \w+ dialled in",
            r"default/\1: ready after \d+\.\d+ s",
            r"default/\1: draining",
            r"default/\1: gone: exit status 0",
        )
        self.assertTrue(re.search(".*".join(steps), edge.out, re.DOTALL), edge.out)
        await self.stopped(edge)

    async def test_app(self) -> None:
        """
        With C{app:} there is no node, and no port for nodes is opened.
        """
        edge = self.start(TWISTD, "-n", "brxy-edge", "--port", ANYWHERE, "--spawn", _APP)
        await self._serves(edge)
        self.assertNotIn("SlotFactory", edge.out)
        self.assertEqual(len(self.running()), 2)
        await self.stopped(edge)

    async def test_short(self) -> None:
        """
        C{python -m brxy.edge -- python -m brxy.node -- APP} serves. Ctrl-C
        stops the edge, the node and the app.
        """
        edge = self.start(
            *(PYTHON, "-m", "brxy.edge", "-p", ANYWHERE, "--node-port", ANYWHERE),
            *("--", "python", "-m", "brxy.node", "--", "python", DEMO),
        )
        await self._serves(edge)
        await self.stopped(edge, signal.SIGINT)

    async def test_launchedElsewhere(self) -> None:
        """
        A spawn command may leave a node running somewhere and exit with 0. The
        node stops with the edge.
        """
        for spawn in (
            f"sh -c 'setsid twistd -n brxy-node -- python {DEMO} >node.log 2>&1 &'",
            f"twistd --pidfile=node.pid --logfile=node.log brxy-node -- python {DEMO}",
        ):
            edge = self.edge("--spawn", spawn)
            await self._serves(edge)
            await self.said(
                edge, r"its command has ended \(exit status 0\), its node may still run"
            )
            await self.stopped(edge)
            self.assertNotIn("Traceback", (self.folder / "node.log").read_text())

    async def test_daemons(self) -> None:
        """
        Without C{-n} edge and node go into the background, with a pidfile and
        a log file. SIGTERM ends them and removes the pidfile.
        """
        place = f"unix:{self.folder}/nodes"
        token = ("--token-file", "token")
        edge = self.start(
            *(TWISTD, "--pidfile=edge.pid", "--logfile=edge.log", "brxy-edge"),
            *("--port", f"unix:{self.folder}/clients", "--node-port", place, *token),
        )
        self.assertEqual((await self.ended(edge), edge.out, edge.err), (0, "", ""))
        node = self.start(TWISTD, "brxy-node", "--edge", place, *token, "--", "python", DEMO)
        self.assertEqual((await self.ended(node), node.out, node.err), (0, "", ""))
        answer = await self.get(f"unix:{self.folder}/clients")
        self.assertEqual(answer.status, 200, answer)
        for pidfile in ("twistd.pid", "edge.pid"):
            pid = int((self.folder / pidfile).read_text())
            self.assertIn(pid, self.running())
            os.kill(pid, signal.SIGTERM)
            await self.gone(pid)
            self.assertFalse((self.folder / pidfile).exists())
        self.assertEqual(self.running(), [])
        for log in ("twistd.log", "edge.log"):
            text = (self.folder / log).read_text()
            self.assertIn("Server Shut Down", text)
            self.assertNotIn("Traceback", text)

    async def test_syslog(self) -> None:
        """
        With C{--syslog} an edge serves, and prints nothing.
        """
        place = f"unix:{self.folder}/clients"
        edge = self.start(TWISTD, "-n", "--syslog", "brxy-edge", "--port", place, "--spawn", _APP)
        await self.listening(place)
        self.assertEqual((await self.get(place)).status, 200)
        await self.stopped(edge)
        self.assertEqual(edge.out, "")


class StopTests(ProgramTests):
    """
    Tests of how an edge stops.
    """

    async def _asked(self, *arguments: str) -> tuple[Program, str, Deferred[list[Answer]]]:
        """
        Start an edge with a single instance that runs one request, and hold
        two more.

        @return: the edge, its address, and the pending answers.
        """
        spawn = f"app: max=1 capacity=1 -- {self.gate()}"
        edge = self.edge("--spawn", spawn, *arguments)
        address = await self.address(edge)
        answers = gatherResults([self.get(address, f"/{n}") for n in range(3)])
        await self.said(edge, "asked")
        # A request that comes after them is refused: so the edge has read all of them.
        self.assertEqual((await self.get(address, host="..")).status, 400)
        return edge, address, answers

    async def test_underLoad(self) -> None:
        """
        After SIGTERM the edge accepts no connections. Requests that are being
        served or held still get an answer.
        """
        edge, address, answers = await self._asked()
        edge.signal(signal.SIGTERM)
        await self.said(edge, r"waiting for clients to finish \(3\)")
        with self.assertRaises(ConnectionRefusedError):
            await self.get(address)
        self.assertIs(edge.status, None)
        self.openGate()
        self.assertEqual([answer.status for answer in await answers], [200, 200, 200])
        self.assertEqual(await self.ended(edge), -signal.SIGTERM)
        self.assertNotIn("Traceback", edge.out)
        self.assertEqual(self.running(), [])

    async def _cutOff(self, edge: Program, answers: Deferred[list[Answer]]) -> None:
        """
        The held requests are rejected, the one that is being served is cut
        off, and no process is left.
        """
        await self.said(edge, r"no longer waiting for clients \(3\)")
        statuses = sorted([each.status for each in await answers])
        # The request that was cut off is a GET, so it is offered again if there is time for it
        # before the edge ends.
        self.assertIn(statuses, ([0, 503, 503], [503, 503, 503]))
        self.assertEqual(await self.ended(edge), -signal.SIGTERM)
        self.assertNotIn("Traceback", edge.out)
        await self.until(lambda: not self.running())

    async def test_drainTimeout(self) -> None:
        """
        C{--drain-timeout} limits how long a stopping edge waits for exchanges.
        """
        edge, _, answers = await self._asked("--drain-timeout", "0.2")
        edge.signal(signal.SIGTERM)
        await self._cutOff(edge, answers)

    async def test_secondSignal(self) -> None:
        """
        A second SIGTERM stops the edge at once.
        """
        edge, _, answers = await self._asked("--drain-timeout", "1000")
        edge.signal(signal.SIGTERM)
        await self.said(edge, r"waiting for clients to finish \(3\)")
        edge.signal(signal.SIGTERM)
        await self._cutOff(edge, answers)

    async def test_twoSignalsAtOnce(self) -> None:
        """
        A terminal and a supervisor may both send a signal to stop.
        """
        edge, _, answers = await self._asked("--drain-timeout", "1000")
        edge.signal(signal.SIGSTOP)
        edge.signal(signal.SIGTERM)
        edge.signal(signal.SIGINT)
        edge.signal(signal.SIGCONT)
        await self.said(edge, r"waiting for clients to finish \(3\)")
        self.openGate()
        await answers
        self.assertIn(await self.ended(edge), (-signal.SIGTERM, -signal.SIGINT))
        self.assertNotIn("Traceback", edge.out)
        self.assertEqual(self.running(), [])

    async def test_edgeKilled(self) -> None:
        """
        kill -9 of the edge leaves no app of C{app:} behind.
        """
        edge, _, answers = await self._asked()
        self.assertEqual(len(self.running()), 2)
        edge.signal(signal.SIGKILL)
        await self.until(lambda: not self.running())
        await answers


class RefusalTests(ProgramTests):
    """
    Tests of starts that can't succeed: one line gives the reason, and the
    status is 1.
    """

    def setUp(self) -> None:
        super().setUp()
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        self.taken = str(taken.getsockname()[1])

    async def _refused(self, why: str, *argv: str, **environ: str) -> None:
        program = self.start(TWISTD, *argv, **environ)
        self.assertEqual(await self.ended(program), 1, argv)
        self.assertEqual(program.err, f"{why}\n", argv)
        self.assertNotIn("Traceback", program.out)

    async def test_options(self) -> None:
        """
        An invalid option is named, in the foreground and for a daemon.
        """
        why = "brxy-edge: bad --tcp 'foo': NAME=ENDPOINT is needed"
        await self._refused(why, "-n", "brxy-edge", "--tcp", "foo")
        await self._refused(why, "brxy-edge", "--tcp", "foo")
        why = "brxy-node: cannot run 'no-such-app': no such executable on PATH"
        await self._refused(why, "-n", "brxy-node", "--", "no-such-app")
        await self._refused(why, "brxy-node", "--", "no-such-app")
        self.assertEqual(list(self.folder.glob("twistd.*")), [])

    async def test_making(self) -> None:
        """
        Spawners that are unknown, and a state folder that can't be used, are
        named.
        """
        await self._refused(
            "brxy-edge: there is no spawner 'nope'"
            " (known: app, docker, kubernetes, process, ssh, swarm)",
            *("-n", "brxy-edge", "--spawn", "nope: -- true"),
        )
        await self._refused(
            "brxy-edge: --tcp: no --spawn serves the route redis: write route=redis in place of "
            "route=rediss, or add a --spawn for it",
            *("-n", "brxy-edge", "--tcp", "redis=127.0.0.1:0"),
            *("--spawn", "app: route=rediss -- true"),
        )
        await self._refused(
            "brxy-edge: for TLS on the node port give --node-tls-cert and --node-tls-key",
            *("-n", "brxy-edge", "--node-tls-ca", "ca.pem"),
        )
        (self.folder / "file").touch()
        await self._refused(
            "brxy-edge: --token-file file: its first line is not a token",
            *("-n", "brxy-edge", "--token-file", "file"),
        )
        await self._refused(
            "brxy-edge: --state-dir file: File exists",
            *("-n", "brxy-edge", "--state-dir", "file"),
        )

    async def test_ports(self) -> None:
        """
        Ports that are taken are named.
        """
        taken = f"tcp:{self.taken}:interface=127.0.0.1"
        name = Path("/proc/self/comm").read_text().strip()
        why = f"brxy-edge: can't listen on {taken}: Address already in use by process "
        why += f"{os.getpid()} ({name})"
        await self._refused(
            why, "-n", "--pidfile=mine.pid", "brxy-edge", "-p", taken, "--spawn", _APP
        )
        await self._refused(
            f"{why}; give another --node-port",
            *("-n", "brxy-edge", "-p", ANYWHERE, "--node-port", taken),
        )
        await self._refused(
            f"brxy-node: port {self.taken} is taken already",
            *("-n", "brxy-node", "--app-port", self.taken, "--", "true"),
        )
        self.assertEqual(list(self.folder.glob("*.pid")), [])

    async def test_daemonPort(self) -> None:
        """
        What can be known before the process goes to the background is reported as in the
        foreground, and nothing is left.
        """
        taken = f"tcp:{self.taken}:interface=127.0.0.1"
        name = Path("/proc/self/comm").read_text().strip()
        by = f"Address already in use by process {os.getpid()} ({name})"
        for arguments, why in (
            (("-p", taken), f"can't listen on {taken}: {by}"),
            (
                ("-p", ANYWHERE, "--node-port", taken),
                f"can't listen on {taken}: {by}; give another --node-port",
            ),
            (
                ("-p", "unix:nowhere/socket"),
                "can't listen on unix:nowhere/socket: No such file or directory",
            ),
            (
                ("-p", "unix:" + "x" * 120),
                f"can't listen on unix:{'x' * 120}: AF_UNIX path too long",
            ),
        ):
            await self._refused(f"brxy-edge: {why}", "brxy-edge", *arguments, "--spawn", _APP)
        await self._refused(
            f"brxy-node: port {self.taken} is taken already",
            *("brxy-node", "--app-port", self.taken, "--", "true"),
        )
        self.assertEqual(list(self.folder.glob("*.pid")), [])

    async def test_places(self) -> None:
        """
        So are a pidfile and a working folder that can't be used.
        """
        why = "No such file or directory"
        for program in (("brxy-edge", "--spawn", _APP), ("brxy-node", "--", "true")):
            for mode in (("-n",), ()):
                await self._refused(
                    f"{program[0]}: --pidfile {self.folder}/nowhere/pid: {why}",
                    *(*mode, "--pidfile=nowhere/pid", *program),
                )
                await self._refused(
                    f"{program[0]}: --rundir nowhere: {why}",
                    *(*mode, "--rundir=nowhere", *program),
                )

    async def test_daemonLate(self) -> None:
        """
        A failure that occurs only in the background is reported by twistd in
        its own words. The log has one line for it, and no pidfile is left.
        """
        # It is the edge itself that takes the place.
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = f"tcp:{free.getsockname()[1]}:interface=127.0.0.1"
        edge = self.start(TWISTD, "brxy-edge", "-p", place, "-p", place, "--spawn", _APP)
        self.assertEqual(await self.ended(edge), 1)
        self.assertIn(f"can't listen on {place}"[:40], edge.err)
        # The process at the terminal ends before the one in the background.
        await self.until(lambda: not self.running())
        log = (self.folder / "twistd.log").read_text()
        self.assertEqual(log.count("can't listen"), 1)
        self.assertRegex(log, r"Address already in use by process \d+ \(.*\)\n$")
        self.assertNotIn("Traceback", log + edge.err)
        self.assertFalse((self.folder / "twistd.pid").exists())


class HelpTests(ProgramTests):
    """
    Tests of C{--help}.
    """

    async def test_help(self) -> None:
        """
        The help lists every option, and is printed without a warning.
        """
        for name, options in (("brxy-edge", EdgeOptions()), ("brxy-node", NodeOptions())):
            program = self.start(TWISTD, name, "--help")
            self.assertEqual((await self.ended(program), program.err), (0, ""))
            listed = set(re.findall(r"--([a-z-]+)", program.out))
            self.assertEqual({each.rstrip("=") for each in options.longOpt} - listed, set())
