"""
Tests of edges and nodes that people start in a terminal.
"""

from __future__ import annotations

import os
import re
import signal
import socket

from brxy.test.support.processes.programs import ANYWHERE, TWISTD, ProgramTests
from brxy.test.support.processes.terminals import Screen

__all__ = ["ScreenTests"]


class ScreenTests(ProgramTests):
    """
    Base of tests with a program in a terminal.
    """

    async def shows(self, screen: Screen, pattern: str) -> re.Match[str]:
        """
        Wait until a terminal shows what matches, colours aside.
        """
        await self.until(lambda: re.search(pattern, screen.plain) or screen.status is not None)
        match = re.search(pattern, screen.plain)
        if match is None:
            self.fail(f"no {pattern!r} in:\n{screen.plain}")
        return match


def _freePort() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class InterruptTests(ScreenTests):
    """
    Tests of Ctrl-C while something is waited for.
    """

    async def test_edge(self) -> None:
        """
        The first Ctrl-C says how many clients are waited for, for how long, and that a second
        one stops at once. It does.
        """
        port = _freePort()
        edge = self.startOnScreen(
            *(TWISTD, "-n", "brxy-edge", "--port", f"tcp:{port}:interface=127.0.0.1"),
            *("--drain-timeout", "500", "--spawn", f"app: -- {self.gate()}"),
        )
        await self.listening(f"tcp:127.0.0.1:{port}")
        answer = self.get(f"tcp:127.0.0.1:{port}")
        await self.shows(edge, "asked")
        edge.type("\x03")
        await self.shows(
            edge,
            r"waiting for clients to finish \(1\), for at most 500 s; a second signal \(Ctrl-C\) "
            "stops at once",
        )
        self.assertIs(edge.status, None)
        edge.type("\x03")
        await self.until(lambda: edge.status is not None)
        await answer
        self.assertNotIn("Traceback", edge.plain)
        await self.until(lambda: not self.running())

    async def test_node(self) -> None:
        """
        So does a node, and its app is killed.
        """
        clients = f"unix:{self.folder}/c"
        nodes = f"unix:{self.folder}/n"
        self.edge("--port", clients, "--node-port", nodes, "--token-file", "token")
        await self.listening(clients)
        node = self.startOnScreen(
            *(TWISTD, "-n", "brxy-node", "--edge", nodes, "--token-file", "token"),
            *("--drain-timeout", "500", "--", *self.gate().split()),
        )
        answer = self.get(clients)
        await self.shows(node, "asked")
        node.type("\x03")
        await self.shows(
            node,
            r"waiting for exchanges to finish \(1\), for at most 500 s; "
            r"a second signal \(Ctrl-C\) stops at once",
        )
        node.type("\x03")
        await self.until(lambda: node.status is not None)
        self.assertNotIn("Traceback", node.plain)
        await self.until(lambda: len(self.running()) == 1)
        answer.addErrback(lambda failure: None)
        answer.cancel()

    async def test_stubbornInstance(self) -> None:
        """
        An edge waits for an app that ignores SIGTERM. A second Ctrl-C ends both.
        """
        app = f"sh -c 'trap \"\" TERM; exec {self.gate()}'"
        edge = self.startOnScreen(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--port", ANYWHERE),
            *("--spawn", f"app: stop-timeout=500 -- {app}"),
        )
        match = await self.shows(edge, r"listening on http://127\.0\.0\.1:(\d+)")
        self.assertEqual((await self.get(f"tcp:127.0.0.1:{match[1]}", "/env")).status, 200)
        edge.type("\x03")
        await self.shows(
            edge, r"stopping what was spawned; a second signal \(Ctrl-C\) stops at once"
        )
        self.assertIs(edge.status, None)
        edge.type("\x03")
        await self.until(lambda: not self.running())

    async def test_stubbornApp(self) -> None:
        """
        A node says how long it waits for its app, which a second Ctrl-C kills.
        """
        stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done"
        node = self.startOnScreen(
            *(TWISTD, "-n", "brxy-node", "--edge", f"unix:{self.folder}/n"),
            *("--stop-timeout", "500", "--", "sh", "-c", stubborn),
        )
        await self.shows(node, "up")
        node.type("\x03")
        await self.shows(
            node, r"stopping the app, for at most 500 s; a second signal \(Ctrl-C\) kills it"
        )
        node.type("\x03")
        await self.until(lambda: not self.running())


class HangupTests(ScreenTests):
    """
    Tests of edges and nodes whose terminal ends.
    """

    def log(self, name: str) -> str:
        """
        What a program has logged so far.
        """
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def lines(self) -> list[tuple[str, str, str]]:
        """
        An edge and a node that log into files, and what they log when they run and when they
        get a SIGHUP that kill(1) sends.
        """
        edge = f"{TWISTD} -n --logfile edge.log brxy-edge --port {ANYWHERE} --node-port {ANYWHERE}"
        node = f"{TWISTD} -n --logfile node.log brxy-node --edge unix:{self.folder}/n -- sleep 100"
        return [
            (edge, "edge.log", "reading certificates and tokens again"),
            (node, "node.log", "cannot request newer instances"),
        ]

    async def test_leader(self) -> None:
        """
        An edge and a node that a window or C{ssh -t} started end with it. Up to then a SIGHUP
        by kill(1) has its usual meaning.
        """
        for line, log, reloaded in self.lines():
            screen = self.startOnScreen(*line.split())
            await self.until(lambda: "reactor class" in self.log(log))  # noqa: B023
            await self.until(lambda: self.catchesHangup(screen.pid))  # noqa: B023
            os.kill(screen.pid, signal.SIGHUP)
            await self.until(lambda: reloaded in self.log(log))  # noqa: B023
            self.assertNotIn("the terminal has ended", self.log(log))
            screen.hangUp()
            await self.until(lambda: screen.status is not None)  # noqa: B023
            self.assertIn("the terminal has ended, stopping", self.log(log))
            self.assertEqual(self.log(log).count(reloaded), 1)
            self.assertNotIn("Traceback", self.log(log))
            await self.until(lambda: not self.running())

    async def test_job(self) -> None:
        """
        A shell passes the SIGHUP of its terminal on to its jobs by kill(2).
        """
        for line, log, reloaded in self.lines():
            shell = self.startOnScreen("bash", "--norc", "--noprofile", "-i")
            shell.type(f"{line}\n")
            await self.until(lambda: any(map(self.catchesHangup, self.running())))
            shell.hangUp()
            await self.until(lambda: not self.running())
            self.assertIn("the terminal has ended, stopping", self.log(log))
            self.assertNotIn(reloaded, self.log(log))
            self.assertNotIn("Traceback", self.log(log))

    async def test_noLogFile(self) -> None:
        """
        What they would still print on the terminal is lost, and does no harm.
        """
        for program, *more in (
            ("brxy-edge", "--port", ANYWHERE, "--node-port", ANYWHERE),
            ("brxy-node", "--edge", f"unix:{self.folder}/n", "--", "sleep", "100"),
        ):
            screen = self.startOnScreen(TWISTD, "-n", program, *more)
            await self.until(lambda: self.catchesHangup(screen.pid))  # noqa: B023
            screen.hangUp()
            await self.until(lambda: not self.running())

    async def test_nohup(self) -> None:
        """
        With nohup(1) an edge outlives its terminal.
        """
        line, log, reloaded = self.lines()[0]
        shell = self.startOnScreen("bash", "--norc", "--noprofile", "-i")
        shell.type(f"nohup {line} &\n")
        await self.until(lambda: any(map(self.catchesHangup, self.running())))
        shell.hangUp()
        await self.until(lambda: len(self.running()) == 1)
        (pid,) = self.running()
        before = self.log(log).count(reloaded)
        os.kill(pid, signal.SIGHUP)
        await self.until(lambda: self.log(log).count(reloaded) > before)
        self.assertNotIn("the terminal has ended", self.log(log))

    @staticmethod
    def catchesHangup(pid: int) -> bool:
        """
        @return: whether a process that Python runs handles SIGHUP, see proc(5).
        """
        try:
            with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/status") as status:
                caught = re.search(r"SigCgt:\s*(\w+)", status.read())
                ours = "bash" not in comm.read()
        except OSError:
            return False
        return ours and caught is not None and bool(int(caught[1], 16) & 1)


class LogTests(ScreenTests):
    """
    Tests of what edge and node print on a terminal.
    """

    # An app that shows progress before it answers, and waits at 50% for a file.
    _APP = """\
import os, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

class Request(BaseHTTPRequestHandler):
    def do_GET(self):
        print("\\x1b[35mpurple\\x1b[0m \\x1b[2J", flush=True)
        sys.stderr.write("\\r 0%\\r 50%")
        sys.stderr.flush()
        while not os.path.exists("open"):
            time.sleep(0.01)
        sys.stderr.write("\\r 100%\\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""

    async def _shown(self, spawn: str, **environ: str) -> Screen:
        """
        @return: the terminal of an edge that has served one request.
        """
        (self.folder / "app.py").write_text(self._APP)
        edge = self.startOnScreen(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--port", ANYWHERE),
            *("--node-port", f"unix:{self.folder}/n", "--spawn", spawn),
            **{"TERM": "xterm", "NO_COLOR": "", **environ},
        )
        match = await self.shows(edge, r"listening on http://127\.0\.0\.1:(\d+)\r\n")
        answer = self.get(f"tcp:127.0.0.1:{match[1]}")
        # Progress is shown before its line has an end.
        await self.shows(edge, r"\w+\|  50%\r")
        self.assertNotIn("100%", edge.plain)
        self.openGate()
        self.assertEqual((await answer).status, 200)
        await self.shows(edge, r"\d\d:\d\d:\d\d \w+\|  100%\r\n")
        edge.type("\x03")
        await self.until(lambda: edge.status is not None)
        await self.until(lambda: not self.running())
        return edge

    async def test_edge(self) -> None:
        """
        The log has the edge's URL, times, levels and texts, and the colours of the app, but
        nothing of Twisted's.
        """
        edge = await self._shown("app: -- python app.py")
        self.assertRegex(
            edge.plain, r"\d\d:\d\d:\d\d info  nodes connect to unix:\S+/n \(tcp\)\r\n"
        )
        self.assertRegex(
            edge.plain, r"\d\d:\d\d:\d\d info  default: holding clients until an instance is ready"
        )
        self.assertIn("\x1b[35mpurple\x1b[0m \\x1b[2J", edge.shown)
        self.assertIn("\x1b[32minfo", edge.shown)
        for twisted in ("HTTPFactory", "twistd", "Main loop", "Server Shut", "#info", "Port "):
            self.assertNotIn(twisted, edge.plain)

    async def test_twoHops(self) -> None:
        """
        What an app prints behind a node looks the same. The colours of the edge's own log end
        with NO_COLOR, and so do the app's.
        """
        edge = await self._shown("twistd -n brxy-node -- python app.py", NO_COLOR="1")
        self.assertIn("| purple \\x1b[2J\r\n", edge.plain)
        self.assertNotIn("\x1b[3", edge.shown)

    async def test_node(self) -> None:
        """
        A node in a terminal passes on what its app prints as it comes.
        """
        program = "printf '\\r1%%\\r2%%'; sleep 1000"
        node = self.startOnScreen(
            *(TWISTD, "-n", "brxy-node", "--edge", f"unix:{self.folder}/n"),
            *("--", "sh", "-c", program),
        )
        await self.shows(node, "\r1%\r2%")
        node.type("\x03")
        await self.shows(node, r"\d\d:\d\d:\d\d info  stopping the app")
        await self.until(lambda: not self.running())

    async def test_pipe(self) -> None:
        """
        Without a terminal a line has the date and the level, and no colours; what an app prints
        is escaped.
        """
        (self.folder / "app.py").write_text(self._APP)
        self.openGate()
        edge = self.edge("--spawn", "app: -- python app.py")
        await self.get(await self.address(edge))
        await self.said(edge, r"(?m)^\d{4}-\S+ info \w+\| \\x1b\[35mpurple\\x1b\[0m \\x1b\[2J$")
        await self.said(edge, r"(?m)\| \\r 0%\\r 50%\\r 100%$")
        await self.said(edge, r"(?m)^\d{4}-\S+ info listening on http://127.0.0.1:\d+\n")
        self.assertNotIn("\x1b", edge.out)
        await self.stopped(edge)
