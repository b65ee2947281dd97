"""
Tests of several edges on one machine: what they must not share, and what they need not.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest

from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests

_NODE = f"twistd -n brxy-node -- {PYTHON} -m http.server {{port}} --bind 127.0.0.1"

_FILL = "head -c 64k /dev/zero > state/others 2> /dev/null"


class _EdgeTests(ProgramTests):
    """
    Base of tests of edges that start nodes.
    """

    def spawning(self, *arguments: str, spawn: str = _NODE, **environ: str) -> Program:
        """
        Start an edge without C{--node-port}.
        """
        ports = ("--port", ANYWHERE, "--idle-timeout", "90")
        command = (TWISTD, "-n", "brxy-edge", *self.on, *ports, *arguments, "--spawn", spawn)
        return self.start(*command, **environ)

    async def assertServes(self, edge: Program) -> None:
        """
        Check that the edge answers a request.
        """
        answer = await self.get(await self.address(edge))
        self.assertEqual(answer.status, 200)


class StateFolderTests(_EdgeTests):
    """
    Tests of the lock on C{--state-dir}.
    """

    async def test_locked(self) -> None:
        """
        The second edge on a folder ends with one line that has the process of the first one,
        in the foreground and in the background; the first one is not disturbed.
        """
        app = f"app: -- {PYTHON} -m http.server {{port}} --bind 127.0.0.1"
        first = self.spawning("--state-dir", "state", spawn=app)
        await self.assertServes(first)
        why = f"brxy-edge: --state-dir state: another edge uses it (process {first.pid}); "
        before = (self.folder / "state" / "edge.json").read_bytes()
        for mode in (["-n"], ["--pidfile=second.pid"]):
            second = self.start(
                *(TWISTD, *mode, "brxy-edge", "-p", ANYWHERE, "--spawn", app),
                *("--state-dir", "state"),
            )
            self.assertEqual(await self.ended(second), 1)
            self.assertEqual(second.err, why + "each edge needs its own\n")
        self.assertEqual((self.folder / "state" / "edge.json").read_bytes(), before)
        await self.assertServes(first)
        await self.stopped(first)
        await self.stopped(await self.started("--state-dir", "state", spawn=app))

    async def started(self, *arguments: str, spawn: str = _NODE) -> Program:
        """
        @return: an edge, once it serves.
        """
        edge = self.spawning(*arguments, spawn=spawn)
        await self.assertServes(edge)
        return edge

    async def test_daemon(self) -> None:
        """
        An edge in the background keeps its folder, and the message has the process there.
        """
        daemon = self.start(
            *(TWISTD, "--pidfile=daemon.pid", "brxy-edge", "-p", ANYWHERE),
            *("--state-dir", "state", "--spawn", "app: -- true"),
        )
        self.assertEqual(await self.ended(daemon), 0)
        await self.until(lambda: (self.folder / "daemon.pid").exists())
        pid = int((self.folder / "daemon.pid").read_text())
        second = self.spawning("--state-dir", "state", spawn="app: -- true")
        self.assertEqual(await self.ended(second), 1)
        self.assertIn(f"(process {pid})", second.err)

    async def test_killed(self) -> None:
        """
        An edge that was killed leaves no lock, and its node finds the next edge.
        """
        first = await self.started("--state-dir", "state")
        first.signal(signal.SIGKILL)
        await self.ended(first)
        second = self.spawning("--state-dir", "state")
        await self.said(second, "dialled in")
        await self.assertServes(second)
        self.assertNotIn("ordered", second.out)
        await self.stopped(second)
        self.assertEqual([each.name for each in (self.folder / "state").iterdir()], ["edge.json"])


class FullDiskTests(_EdgeTests):
    """
    Tests of a state folder on a disk that can't be written: a small one, in a mount
    namespace.
    """

    def setUp(self) -> None:
        super().setUp()
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
            raise SkipTest("needs root, for a mount namespace")

    def within(self, *commands: str) -> Program:
        """
        Start an edge that has run before, on a disk for its state.

        @param commands: what is done before it starts.
        """
        first = f"{TWISTD} -n brxy-edge -p {ANYWHERE} --state-dir state --spawn 'app: -- true'"
        script = "; ".join(
            (
                "mkdir -p state",
                "mount -t tmpfs -o size=64k none state",
                # It refuses to start, after it has written its file.
                f"{first} --token-file /dev/null 2>&1 | grep -q token",
                *commands,
                f"exec {TWISTD} -n brxy-edge -p {ANYWHERE} --state-dir state --spawn '{_NODE}'",
            )
        )
        return self.start("unshare", "--mount", "sh", "-c", script)

    async def test_full(self) -> None:
        """
        The edge starts with one line, serves, and writes when there is room.
        """
        edge = self.within("cp state/edge.json before", _FILL)
        await self.assertServes(edge)
        why = "cannot write the state file: No space left on device"
        await self.said(edge, why)
        self.assertEqual(edge.out.count("cannot write"), 1)
        state = Path(f"/proc/{edge.pid}/root{self.folder}/state")
        name = json.loads((self.folder / "before").read_text())["edge"]
        (state / "others").unlink()
        await self.until(lambda: json.loads((state / "edge.json").read_text())["instances"])
        self.assertEqual(json.loads((state / "edge.json").read_text())["edge"], name)
        await self.stopped(edge)

    async def test_readOnly(self) -> None:
        """
        So it does with a folder that is read-only.
        """
        edge = self.within("mount -o remount,ro state")
        await self.assertServes(edge)
        await self.said(edge, "cannot write the state file: Read-only file system")
        await self.stopped(edge)

    async def test_new(self) -> None:
        """
        An edge that has no file yet and can't write one does not start.
        """
        edge = self.within("rm state/edge.json", _FILL)
        self.assertEqual(await self.ended(edge), 1)
        self.assertEqual(edge.err, "brxy-edge: --state-dir state: No space left on device\n")
        self.assertEqual(edge.out, "")


@onBothTransports
class NodeSocketTests(_EdgeTests):
    """
    Tests of edges that start nodes on their own machine.
    """

    async def test_two(self) -> None:
        """
        Two edges with default ports for nodes do not meet.  At the end nothing is left.
        """
        folder = Path(tempfile.mkdtemp(prefix="brxy-", dir="/tmp"))
        self.addCleanup(folder.rmdir)
        edges = [self.spawning(TMPDIR=str(folder)) for _ in range(2)]
        for edge in edges:
            await self.assertServes(edge)
        for each in folder.glob("*/nodes.sock"):
            self.assertEqual(each.stat().st_mode & 0o777, 0o600)
            self.assertEqual(each.parent.stat().st_mode & 0o777, 0o700)
        self.assertEqual(len(list(folder.glob("*/nodes.sock"))), 2)
        for edge in edges:
            edge.signal(signal.SIGTERM)
            await self.ended(edge)
        self.assertEqual(list(folder.iterdir()), [])

    async def test_long(self) -> None:
        """
        A folder whose path is too long for a socket keeps the state all the same.
        """
        state = "s" * 120
        edge = self.spawning("--state-dir", state)
        await self.assertServes(edge)
        await self.stopped(edge)
        self.assertEqual([each.name for each in (self.folder / state).iterdir()], ["edge.json"])


class NodePortTests(_EdgeTests):
    """
    Tests of ports that are taken.
    """

    async def test_taken(self) -> None:
        """
        The line says which option to use, and which process has the port.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            place = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            edge = self.spawning("--node-port", place)
            self.assertEqual(await self.ended(edge), 1)
        name = Path(sys.executable).resolve().name
        self.assertRegex(
            edge.err,
            rf"^brxy-edge: can't listen on {place}: Address already in use by process \d+ "
            rf"\(({name}|python.*|trial)\); give another --node-port\n$",
        )

    async def test_edge(self) -> None:
        """
        It says so if another edge has it.
        """
        first = self.edge("--token-file", "token")
        place = await self.address(first, "SlotFactory")
        port = place.rpartition(":")[2]
        second = self.spawning("--node-port", f"tcp:{port}:interface=127.0.0.1")
        self.assertEqual(await self.ended(second), 1)
        self.assertIn(f" by process {first.pid} (another brxy-edge); give another", second.err)
        await self.stopped(first)

    async def test_socket(self) -> None:
        """
        A Unix socket that another edge has is named in the same way; a folder that does not
        exist is reported in one line.
        """
        first = self.spawning("--node-port", "unix:socket")
        await self.address(first)
        second = self.spawning("--node-port", "unix:socket")
        self.assertEqual(await self.ended(second), 1)
        self.assertEqual(
            second.err,
            f"brxy-edge: can't listen on unix:socket:mode=600: Address already in use by process "
            f"{first.pid} (another brxy-edge); give another --node-port\n",
        )
        await self.stopped(first)
        edge = self.spawning("--node-port", "unix:nowhere/socket")
        self.assertEqual(await self.ended(edge), 1)
        self.assertEqual(
            edge.err,
            "brxy-edge: can't listen on unix:nowhere/socket:mode=600: No such file or directory\n",
        )
