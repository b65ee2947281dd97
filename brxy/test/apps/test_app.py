"""
Tests of L{brxy.apps.app}, with real processes.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.app import App
from brxy.apps.command import Surroundings, appCommand, appEnvironment
from brxy.apps.listening import listeners
from brxy.apps.settings import AppSettings, pattern
from brxy.errors import SpawnFailed
from brxy.interfaces import Address
from brxy.processes.launch import launch
from brxy.processes.place import Place, User, user
from brxy.processes.ports import Ports
from brxy.test.support.loopback.leftovers import Output, RealTests, aliveInGroup, isAlive

# Accepts connections, answers each with the given status, and prints a line for it.
_SERVER = """
import os, socket, sys
server = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 " + os.environ.get("STATUS", "200").encode() + b" X\\r\\n\\r\\n")
    connection.close()
    print("answered", flush=True)
"""

# Accepts requests for its own site only, as Django does.
_CHOOSY = """
import http.server, os
class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["Host"] == os.environ["ROUTE"] else 400)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Site).serve_forever()
"""

# Listens on a host and a port.
_LISTENER = """
import socket, sys
host, port = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
dual = host == "::"
server = socket.create_server((host, int(port)), family=family, dualstack_ipv6=dual)
while True:
    server.accept()[0].close()
"""

# Runs the server as an app, and prints a line.
_PARENT = f"""
import os, sys
from twisted.internet import reactor
from brxy.apps.app import App
from brxy.apps.listening import listeners
from brxy.apps.settings import AppSettings, pattern
app = App(
    reactor, [sys.executable, "-c", {_SERVER!r}], "a", os.environ, lambda fd, line: None,
    AppSettings(),
)
app.start()
app.ready.addCallback(lambda _: print(app.pid, flush=True))
reactor.run()
"""


class CommandTests(SynchronousTestCase):
    """
    Tests of L{appCommand}.
    """

    def test_replaced(self) -> None:
        """
        The three placeholders are replaced wherever they occur, and nothing
        else that looks like one is.
        """
        self.assertEqual(
            appCommand(
                ["serve", "--bind={host}:{port}", "{route}", "{}", "{other}", "{port"],
                20000,
                "127.0.0.1",
                "example.com",
            ),
            ["serve", "--bind=127.0.0.1:20000", "example.com", "{}", "{other}", "{port"],
        )


class EnvironmentTests(SynchronousTestCase):
    """
    Tests of L{appEnvironment}.
    """

    def test_made(self) -> None:
        """
        The app's environment has its port, host and route, and none of brxy's
        variables.
        """
        environ = {"PATH": "/bin", "PORT": "1", "BRXY_TOKEN": "secret", "BRXY_EDGE": "tcp:x:1"}
        self.assertEqual(
            appEnvironment(environ, 20000, "127.0.0.1", "example.com"),
            {"PATH": "/bin", "PORT": "20000", "HOST": "127.0.0.1", "ROUTE": "example.com"},
        )

    def test_given(self) -> None:
        """
        What users give is added; placeholders in C{env} are replaced, and brxy's own
        variables count for more.
        """
        place = Place(user=User(7, 8, "web", "/srv"))
        around = Surroundings(
            {"A": "1", "B": "{port}"}, {"A": "{host}:{port}", "PORT": "1"}, place
        )
        self.assertEqual(
            appEnvironment({"HOME": "/root"}, 20000, "127.0.0.1", "r", around),
            {
                **{"A": "127.0.0.1:20000", "B": "{port}", "HOME": "/srv", "USER": "web"},
                **{"LOGNAME": "web", "PORT": "20000", "HOST": "127.0.0.1", "ROUTE": "r"},
            },
        )


class _OnePort(Ports):
    """
    Always gives out the same port, and records that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.out: list[int] = []

    def take(self) -> int:
        """
        Give out a port.
        """
        port = super().take()
        self.out.append(port)
        return port

    def release(self, port: int) -> None:
        """
        Take it back.
        """
        super().release(port)
        if port in self.out:
            self.out.remove(port)


class AppTests(RealTests):
    """
    Tests of L{App}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.ports = _OnePort()
        self.output = Output()
        self.reports: list[str] = []

    def app(self, *command: str, environ: dict[str, str] | None = None, **kw: Any) -> App:
        """
        @return: an app that is stopped after the test.
        """
        environ = {**os.environ, "BRXY_TOKEN": "secret", **(environ or {})}
        settings = AppSettings(**kw)
        return App(
            self.reactor,
            command,
            "example.com",
            environ,
            self.output,
            settings,
            report=self.reports.append,
            ports=self.ports,
        )

    def started(self, *command: str, **kw: Any) -> App:
        """
        @return: an app that was started.
        """
        app = self.app(*command, **kw)
        app.start()
        self.over: Deferred[None] = Deferred()
        app.ended.addBoth(self.note)
        self.addCleanup(lambda: self.over)
        self.addCleanup(app.kill)
        return app

    async def test_exhausted(self) -> None:
        """
        An app that can't be started for want of descriptors has ended at once, though where it
        listens can't be found out either.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        app = self.app("sleep", "1000")
        # Trial needs some descriptors to start the reactor.
        await deferLater(self.reactor, 0)
        # Any descriptor that is free is above the limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            app.start()
            self.addCleanup(app.kill)
            ended = await app.ended
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(
            ended.describe(), "exit status 126: cannot run 'sleep': Too many open files"
        )

    def note(self, result: Any) -> Any:
        """
        Record that the app has ended.
        """
        self.over.callback(None)
        return result

    def server(self, **kw: Any) -> App:
        """
        @return: an app whose program is a real server.
        """
        return self.started(sys.executable, "-c", _SERVER, **kw)

    async def test_life(self) -> None:
        """
        An app is ready at a port of its own when it accepts connections. After
        a stop the process is gone, and its port is free.
        """
        app = self.server()
        address = await app.ready
        self.assertEqual(address, Address("127.0.0.1", self.ports.out[0]))
        socket.create_connection((address.host, address.port)).close()
        app.stop()
        app.stop()
        self.assertEqual((await app.ended).signal, signal.SIGTERM)
        self.assertEqual(aliveInGroup(app.pid), [])
        self.assertEqual(self.ports.out, [])

    async def test_surroundings(self) -> None:
        """
        The environment and the arguments contain the address at which the app
        should listen.
        """
        app = self.started(
            "sh", "-c", 'echo "$PORT $HOST $ROUTE ${BRXY_TOKEN-none}" "$@"', "sh", "{port}"
        )
        port = self.ports.out[0]
        await app.ended
        expected = f"{port} 127.0.0.1 example.com none {port}"
        self.assertEqual(self.output.lines, [(1, expected.encode())])

    async def test_givenPort(self) -> None:
        """
        The port may be given.
        """
        port = Ports().take()
        app = self.server(port=port)
        self.assertEqual(await app.ready, Address("127.0.0.1", port))
        self.assertEqual(self.ports.out, [])

    async def test_listening(self) -> None:
        """
        An app is found at whatever address of this machine's own it listens, of either
        family.
        """
        for listens, found in (
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("::1", "::1"),
            ("::", "127.0.0.1"),
        ):
            app = self.started(sys.executable, "-c", _LISTENER, listens, "{port}")
            address = await app.ready
            self.assertEqual(address, Address(found, self.ports.out[0]))
            socket.create_connection((address.host, address.port)).close()
            app.kill()
            await app.ended

    async def test_folder(self) -> None:
        """
        An app runs in its folder, where its command is looked for as well.
        """
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "run").write_text("#!/bin/sh\npwd\n")
        (path / "run").chmod(0o700)
        await self.started("./run", cwd=str(path)).ended
        self.assertEqual(self.output.lines, [(1, os.fsencode(path))])

    async def test_user(self) -> None:
        """
        An app runs as its user, with the groups of that user and none of ours.
        """
        if os.geteuid():
            raise SkipTest("needs root")
        script = 'echo "$(id -un) $(id -gn) $(id -Gn) $HOME"'
        for text, expected in (
            ("mail", b"mail mail mail /var/mail"),
            ("mail:daemon", b"mail daemon daemon mail /var/mail"),
        ):
            await self.started("sh", "-c", script, user=user(text)).ended
            self.assertEqual(self.output.lines[-1], (1, expected))

    async def test_stopSignal(self) -> None:
        """
        An app is stopped by its own signal.
        """
        script = "trap 'exit 3' INT; echo up; while :; do sleep 0.01; done"
        app = self.started("sh", "-c", script, stop_signal="INT")
        await self.output.line(b"up")
        app.stop()
        self.assertEqual((await app.ended).status, 3)

    async def test_claimedPort(self) -> None:
        """
        While an app is there for a given port, no other is started for it, also before
        the app listens: it would be taken for ready as soon as the first one is.
        """
        port = Ports().take()
        app = self.started("sleep", "1000", port=port)
        self.ports = _OnePort()
        error = self.assertRaises(SpawnFailed, self.app("sleep", "9", port=port).start)
        self.assertIn(f"port {port} is taken already, for an app of another", str(error))
        app.kill()
        await app.ended
        app = self.started("true", port=port)
        await app.ended

    async def test_adopted(self) -> None:
        """
        An app that was started already is treated like one that starts here.
        Its port is not checked.
        """
        port = Ports().take()
        environ = {**os.environ, "PORT": str(port), "HOST": "127.0.0.1"}
        launched = launch([sys.executable, "-c", _SERVER], environ, True)
        app = self.app("anything")
        self.assertFalse(app.running)
        app.adopt(launched, port)
        self.assertTrue(app.running)
        self.assertEqual(await app.ready, Address("127.0.0.1", port))
        app.stop()
        self.assertEqual((await app.ended).signal, signal.SIGTERM)
        self.assertFalse(app.running)
        self.assertEqual(self.ports.out, [])

    def test_takenPort(self) -> None:
        """
        Another server at the given port is not taken for the app.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            error = self.assertRaises(SpawnFailed, self.app("sleep", "9", port=port).start)
        self.assertEqual(str(error), f"port {port} is taken already")

    def test_missing(self) -> None:
        """
        A command that can't be run is reported at once, and its port is free
        again.
        """
        app = self.app("no-such-thing")
        error = self.assertRaises(SpawnFailed, app.start)
        self.assertEqual(str(error), "cannot run 'no-such-thing': no such executable on PATH")
        self.assertEqual(self.ports.out, [])
        self.assertEqual(app.pid, 0)
        app.stop()
        app.kill()

    async def test_endsTooEarly(self) -> None:
        """
        An app that ends before it answers never becomes ready.
        """
        app = self.started("sh", "-c", "echo no such module >&2; exit 1")
        ended = await app.ended
        self.assertEqual(ended.describe(), "exit status 1: no such module")
        self.assertNoResult(app.ready)

    async def test_stoppedTooEarly(self) -> None:
        """
        An app that is stopped before it answers never becomes ready.
        """
        app = self.server()
        app.stop()
        await app.ended
        self.assertNoResult(app.ready)

    async def test_stubborn(self) -> None:
        """
        An app that ignores SIGTERM is killed when its time is over.
        """
        app = self.started(
            "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1000; done", stop_timeout=0.05
        )
        await self.output.line(b"up")
        app.stop()
        self.assertEqual((await app.ended).signal, signal.SIGKILL)

    async def test_kill(self) -> None:
        """
        An app can be killed without any delay.
        """
        app = self.server()
        await app.ready
        app.kill()
        self.assertEqual((await app.ended).signal, signal.SIGKILL)

    async def test_readyPath(self) -> None:
        """
        With a readiness path, an answer with 2xx or 3xx makes the app ready.
        """
        app = self.server(ready_path="/health", environ={"STATUS": "302"})
        await app.ready

    async def test_notReady(self) -> None:
        """
        With a readiness path, it is not enough to accept connections.
        """
        app = self.server(ready_path="/health", environ={"STATUS": "503"})
        for _ in range(3):
            await self.output.line(b"answered")
        self.assertNoResult(app.ready)

    async def test_host(self) -> None:
        """
        An app that serves its own site only accepts the readiness request.
        """
        await self.started(sys.executable, "-c", _CHOOSY, ready_path="/").ready

    async def test_status(self) -> None:
        """
        What the app answers while it is not ready is reported once, and kept.
        """
        app = self.server(ready_path="/health", environ={"STATUS": "503"})
        for _ in range(3):
            await self.output.line(b"answered")
        lacking = "the app answers 503 to GET /health (Host: example.com)"
        self.assertEqual(self.reports, [lacking])
        self.assertEqual(app.lacking, lacking)

    async def test_wrongPort(self) -> None:
        """
        An app that listens elsewhere is never ready; where it listens is said when it
        is stopped.
        """
        port = Ports().take()
        app = self.started(sys.executable, "-c", _LISTENER, "127.0.0.1", str(port))
        await self.until(lambda: listeners([app.pid]) if app.pid else None)
        app.stop()
        await app.ended
        self.assertRegex(
            app.lacking,
            r"^the app does not accept connections on port \d+: it listens on "
            rf"127\.0\.0\.1:{port}; write {{port}} in place of {port} in its command$",
        )
        self.assertEqual(self.reports, [app.lacking])

    async def test_readyLog(self) -> None:
        """
        An app is not ready before a line of its output matches, on either stream.
        """
        for stream in (1, 2):
            script = f"echo wait; {{ read x <fifo; echo '12 ready (7)'; }} >&{stream}; sleep 100"
            folder = Path(self.mktemp()).absolute()
            folder.mkdir()
            os.mkfifo(folder / "fifo")
            port = Ports().take()
            with socket.create_server(("127.0.0.1", port)):
                app = self.app(
                    *("sh", "-c", script), ready_log=pattern(r"ready \(\d\)"), cwd=str(folder)
                )
                self.addCleanup(app.kill)
                over = app.ended
                waiting = self.output.line(b"wait")
                self.adoptedAt(app, port, "sh", "-c", script, folder=folder)
                await waiting
                self.assertEqual(
                    app.lacking, r"the app has printed no line that matches 'ready \\(\\d\\)'"
                )
                self.assertNoResult(app.ready)
                (folder / "fifo").write_text("go\n")
                await app.ready
                self.assertEqual(app.lacking, "")
                app.kill()
                await over

    def adoptedAt(self, app: App, port: int, *command: str, folder: Path) -> None:
        """
        Have an app adopt a process, at a port where this one listens for it.
        """
        app.adopt(launch(command, os.environ, True, Place(str(folder))), port)

    async def test_readyCommand(self) -> None:
        """
        An app is ready when its command succeeds, which is repeated until then; the
        command gets what the app gets.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        check = 'echo "$1 $PORT $A" >>log; test -e ready || { echo no >&2; exit 3; }'
        app = self.server(
            ready_command=["sh", "-c", check, "sh", "{host}:{port}"],
            env={"A": "b"},
            cwd=str(folder),
        )
        await self.until(lambda: self.reports)
        self.assertEqual(self.reports, ["sh: exit status 3: no"])
        self.assertNoResult(app.ready)
        (folder / "ready").touch()
        port = (await app.ready).port
        lines = (folder / "log").read_text().splitlines()
        self.assertGreaterEqual(len(lines), 2)
        self.assertEqual(set(lines), {f"127.0.0.1:{port} {port} b"})

    async def test_stoppedCommand(self) -> None:
        """
        A command that runs when its app is stopped is ended, before the end of the app is
        reported.
        """
        path = Path(self.mktemp()).absolute()
        app = self.server(ready_command=["sh", "-c", f"echo $$ >{path}; exec sleep 1000"])
        await self.until(lambda: path.exists() and path.read_text())
        app.stop()
        await app.ended
        self.assertFalse(isAlive(int(path.read_text())))
        self.assertNoResult(app.ready)

    async def test_missingCommand(self) -> None:
        """
        A command that can't be run is reported.
        """
        app = self.server(ready_command=["no-such-check"])
        await self.until(lambda: self.reports)
        self.assertEqual(app.lacking, "cannot run 'no-such-check': no such executable on PATH")

    async def test_parentKilled(self) -> None:
        """
        An app doesn't outlive its parent, even if the parent is killed.
        """
        parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        assert parent.stdout is not None
        self.addCleanup(parent.stdout.close)
        pid = int(parent.stdout.readline())
        parent.kill()
        await self.until(lambda: not isAlive(pid))
