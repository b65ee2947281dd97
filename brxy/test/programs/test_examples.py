"""
Tests that run the examples of README.md and doc/. Each command line of an edge
or a node, and each spawn string, is started as it stands, with free ports and
with small servers in place of the apps. Then its clients are served.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from brxy.processes.ports import isFree
from brxy.spawners.spec import parseSpawn
from brxy.test.support.pages import ROOT
from brxy.test.support.processes.docexamples import (
    ELSEWHERE,
    NOT_SERVED,
    STUB,
    Block,
    allBlocks,
)
from brxy.test.support.processes.programs import (
    PYTHON,
    TWISTD,
    Program,
    ProgramTests,
    isListenedAt,
)

__all__ = ["ExampleTests", "OtherTests"]

_BIN = str(Path(TWISTD).parent)

# Programs of the examples, in place of which a small server runs: where they stand, and whether
# they are used even if the real one is installed.
_STUBS = {"flask": True, "gunicorn": True, "postgres": True, "node": True, "redis-server": False}

# Files of apps that the examples run.
_SOURCES = ("server.py", "app.py", "demo.py", "server.js")

# How many examples run at once.
_AT_ONCE = 3

# Seconds that one of them may take.
_LIMIT = 60.0

# Options whose value is where clients or nodes connect to, and what connects.
_FRONTENDS = {"--port": "http", "--tls-port": "https", "--sni-port": "sni", "--tcp": "tcp"}
_OTHER_PORTS = ("--https-redirect", "--node-port", "--edge", "--app")

_PORT = re.compile(r"(?<![\w.-])(\d{2,5})(?![\w.])")

# A cluster whose API is not reached.
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: a, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {}}]
"""

# The name of the edge in examples that need one.
_EDGE = "edge.example.net"

# Asks a server of PostgreSQL for TLS.
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def _words(line: str) -> list[str]:
    """
    @return: the words of a command line. A spawn string may contain what a shell would expand.
    """
    return shlex.split(line, comments=True)


# In a random order. Neither connections nor apps get one of these ports by chance.
_PORTS = iter(random.sample(range(10000, 16384), 16384 - 10000))


def _freePort() -> int:
    """
    @return: a port that stays free until the edge listens there; another one each time.
    """
    return next(port for port in _PORTS if isFree(port))


class _Scene:
    """
    One edge of an example, with its nodes.

    @ivar folder: where they run.
    @ivar prelude: what a shell runs before the edge.
    @ivar frontends: the kind of client, and the address, of each port of the edge.
    @ivar routes: those that are served.
    @ivar app: the port of an app that runs already.
    """

    def __init__(self, folder: Path, served: bool) -> None:
        self.folder = folder
        self.served = served
        self.prelude: list[str] = []
        self.edge: list[str] = []
        self.nodes: list[list[str]] = []
        self.frontends: list[tuple[str, int]] = []
        self.routes: list[str] = []
        self.app: int | None = None
        self._ports: dict[str, int] = {}

    def port(self, documented: str) -> int:
        """
        @return: the free port that stands for a port of the page.
        """
        if documented not in self._ports:
            self._ports[documented] = _freePort()
        return self._ports[documented]

    def add(self, line: str) -> None:
        """
        Add a command of the example.
        """
        words = _words(self._replaced(line))
        if words[0] != "twistd" and not words[0].startswith("--"):
            self.prelude.append(self._replaced(line))
            return
        if words[0].startswith("--"):
            words = ["twistd", "-n", "brxy-edge", *words]
            if "--spawn" not in words:
                words += ["--spawn", f"app: -- {self.folder}/run"]
        if "brxy-node" in words[:6]:
            self.nodes.append(self._node(words))
        else:
            self.edge = self._edge(words)

    def _replaced(self, line: str) -> str:
        """
        @return: a line with paths and names of this machine.
        """
        user = "root" if os.geteuid() == 0 else ""
        for old, new in (
            ("/etc/letsencrypt/live", "certs"),
            ("/run/brxy/nodes", f"{self.folder}/nodes"),
            ("/opt/brxy/bin/twistd", TWISTD),
            ("cwd=/srv/shop user=shop", f"cwd={self.folder} user={user}" if user else ""),
            ("/srv/shop/run", f"{self.folder}/run"),
            ("/srv/demo/run", f"{self.folder}/run"),
            ("COMMAND", f"{self.folder}/run"),
            # A user may have a lower limit.
            ("ulimit -n 25000", "ulimit -n 25000 || true"),
            ("/etc/brxy/pod.yaml", f"{self.folder}/pod.yaml"),
            ("/etc/shop.env", f"{self.folder}/shop.env"),
            (
                "--edge tcp:edge.example.net",
                "--edge-tls-name edge.example.net --edge tcp:127.0.0.1",
            ),
        ):
            line = line.replace(old, new)
        return re.sub(r"app-port=(\d+)", lambda found: f"app-port={self.port(found[1])}", line)

    def _moved(self, words: list[str]) -> list[str]:
        """
        @return: the words of a command with free ports on loopback.
        """
        words = list(words)
        for at, option in enumerate(words[:-1], 1):
            if option not in _FRONTENDS and option not in _OTHER_PORTS:
                continue
            name, equals, where = (
                words[at].partition("=") if option == "--tcp" else ("", "", words[at])
            )
            found = _PORT.search(where)
            if where.startswith("unix:") or found is None:
                continue
            port = self.port(found[1])
            where = where[: found.start()] + str(port) + where[found.end() :]
            if option in _FRONTENDS or option == "--node-port":
                if where.isdigit():
                    where = f"127.0.0.1:{where}"
                elif "tcp:" in where and "interface=" not in where:
                    where += ":interface=127.0.0.1"
            words[at] = name + equals + where
            if option in _FRONTENDS:
                kind = where.partition(":")[0]
                kind = kind if kind in _CLIENTS else _FRONTENDS[option]
                self.frontends.append((kind, port))
        return words

    def _edge(self, words: list[str]) -> list[str]:
        if not set(words) & set(_FRONTENDS):
            words = [*words, "--port", "8080"]
        if "--node-port" not in words and "--tcp" not in words:
            words = [*words, "--node-port", "tcp:9080"]
        words = self._moved(words)
        for at, option in enumerate(words[:-1], 1):
            if option == "--spawn":
                route = re.search(r"\broute=(\S+)", words[at].partition(" -- ")[0])
                self.routes.append(route[1].replace("*", "a") if route else "localhost")
                parseSpawn(words[at])
        return [TWISTD, *words[1:]]

    def _node(self, words: list[str]) -> list[str]:
        if "--edge" not in words:
            at = words.index("brxy-node") + 1
            words = [*words[:at], "--edge", "tcp:127.0.0.1:9080", *words[at:]]
        self.routes.append(words[words.index("--route") + 1])
        words = self._moved(words)
        if "--app" in words[: words.index("--") if "--" in words else None]:
            self.app = int(words[words.index("--app") + 1].rpartition(":")[2])
        return [TWISTD, *words[1:]]


class _Fork:
    """
    An edge or a node, in a fork of the server.
    """

    def __init__(self, server: Program, number: int, output: Path) -> None:
        """
        @param number: of the order, from 1 on.
        """
        self._server = server
        self._number = number
        self._output = output

    @property
    def out(self) -> str:
        """
        What it has printed so far.
        """
        return self._output.read_text() if self._output.exists() else ""

    @property
    def _pid(self) -> str:
        started = re.findall(r"^started (\d+)$", self._server.out, re.MULTILINE)
        return started[self._number - 1] if len(started) >= self._number else ""

    @property
    def status(self) -> int | None:
        """
        Its exit status; L{None} while it runs.
        """
        ended = re.search(rf"^ended {self._pid} (-?\d+)$", self._server.out, re.MULTILINE)
        return int(ended[1]) if ended else None

    def signal(self, number: int) -> None:
        """
        Send a signal to it, unless it has ended.
        """
        if self._pid and self.status is None:
            os.kill(int(self._pid), number)


class ExampleTests(ProgramTests):
    """
    Tests of all examples.
    """

    timeout = 300

    def setUp(self) -> None:
        super().setUp()
        self._scenes = 0
        self._forks = 0

    # What there is in the folder of an example

    def _makeShared(self) -> None:
        """
        Make what all examples use: a folder of programs, certificates, an installed package.
        """
        shared = self.folder / "shared"
        (shared / "bin").mkdir(parents=True)
        stub = shared / "stub"
        stub.write_text(f"#!{PYTHON} -IS\n{STUB}")
        stub.chmod(0o755)
        for name, always in _STUBS.items():
            if always or shutil.which(name) is None:
                (shared / "bin" / name).symlink_to(stub)
        metadata = shared / "site" / "brxy_example_spawners-1.0.dist-info"
        metadata.mkdir(parents=True)
        entries = "[brxy.spawners]\nstay = brxy_stay:factory\nwake = brxy_wake:factory\n"
        (metadata / "entry_points.txt").write_text(entries)
        about = "Metadata-Version: 2.1\nName: brxy-example-spawners\nVersion: 1.0\n"
        (metadata / "METADATA").write_text(about)
        pki = [PYTHON, "-m", "brxy.pki"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        names = ("shop.example.com", "a.demo.example.com", "localhost", _EDGE)
        for arguments in (("init", "pki"), ("issue", "pki", *names)):
            command = [*pki, *arguments]
            subprocess.run(command, cwd=shared, env=environ, check=True, stdout=subprocess.DEVNULL)
        shutil.copy(shared / "pki" / f"{names[0]}.pem", shared / "edge.pem")
        shutil.copy(shared / "pki" / f"{names[0]}.key", shared / "edge.key")

    def _scene(self, block: Block, *lines: str) -> _Scene:
        """
        @return: an edge and nodes from commands of a block.
        """
        self._scenes += 1
        folder = self.folder / str(self._scenes)
        shared = self.folder / "shared"
        (folder / "nodes").mkdir(parents=True)
        for name in ("run", *_SOURCES):
            shutil.copy(shared / "stub", folder / name)
        if "mkdir certs" not in block.text:
            (folder / "certs").mkdir()
            shutil.copy(shared / "edge.pem", folder / "certs" / "default.crt")
            shutil.copy(shared / "edge.key", folder / "certs" / "default.key")
        for name in ("edge.pem", "edge.key"):
            (folder / name).symlink_to(shared / name)
        (folder / "shop.env").write_text("LEVEL=debug\n")
        (folder / "kubeconfig").write_text(_KUBECONFIG)
        (folder / "pod.yaml").write_text(_blockWith("kind: Pod"))
        served = not any(key[0] == block.page and key[1] in block.text for key in NOT_SERVED)
        scene = _Scene(folder, served)
        for line in lines:
            scene.add(line)
        return scene

    def _scenesOf(self, block: Block, edge: Block | None) -> list[_Scene]:
        """
        @param edge: the last block of this page with an edge that has no spawner.
        @return: what is run for a block.
        """
        lines = block.lines()
        edges = [each for each in lines if "brxy-edge" in each or each.startswith("--")]
        if len(edges) > 1:
            return [self._scene(block, each) for each in edges]
        if not edges and any("brxy-node" in each for each in lines):
            assert edge is not None, f"no edge for the node of {block}"
            lines = [*(each for each in edge.lines() if "brxy-node" not in each), *lines]
        return [self._scene(block, *lines)]

    # Running

    def _variables(self, scene: _Scene) -> dict[str, str]:
        shared = self.folder / "shared"
        mark, _, value = self.mark.partition("=")
        return {
            mark: value,
            "HOME": os.environ.get("HOME", "/"),
            "PATH": os.pathsep.join((_BIN, str(shared / "bin"), os.environ["PATH"])),
            "PYTHONPATH": f"{ROOT}:{shared}/site:{ROOT}/examples/spawner",
            "KUBECONFIG": str(scene.folder / "kubeconfig"),
            "DOCKER_HOST": f"unix://{scene.folder}/no-daemon",
        }

    def _start(self, block: Block, scene: _Scene) -> Deferred[None]:
        played = Deferred.fromCoroutine(self._play(block, scene))
        return played.addTimeout(_LIMIT, self.reactor)

    async def _play(self, block: Block, scene: _Scene) -> None:
        """
        Start an edge and its nodes, serve a client of each port, and stop them.
        """
        environ = self._variables(scene)
        if scene.prelude:
            command = ["sh", "-ec", "\n".join(scene.prelude)]
            shell = partial(subprocess.run, command, cwd=scene.folder, check=True)
            await deferToThread(shell, env=environ, stdout=subprocess.DEVNULL)
        if not scene.edge:
            return
        edge = self._fork(scene, scene.edge, environ)
        programs = [edge]
        try:
            for _, port in scene.frontends:
                await self._listens(edge, port)
            for node in scene.nodes:
                for each in (scene.folder / "pki").glob("*"):
                    shutil.copy(each, scene.folder)
                if scene.app is not None:
                    self.start(str(self.folder / "shared" / "stub"), PORT=str(scene.app))
                programs.append(self._fork(scene, node, environ))
            if scene.served:
                for kind, port in scene.frontends:
                    for route in scene.routes:
                        await self._client(kind, port, route, scene)
            for program in reversed(programs):
                program.signal(SIGTERM)
                await self._ends(program)
                self.assertEqual(program.status, -SIGTERM)
                self.assertNotIn("Traceback", program.out)
        except (Exception, CancelledError) as error:
            said = "".join(program.out for program in programs)
            for program in programs:
                program.signal(SIGKILL)
            raise AssertionError(f"{block.page}:{block.number}: {error!r}\n{said}") from error

    def _fork(self, scene: _Scene, argv: list[str], environ: dict[str, str]) -> _Fork:
        """
        Have the server start an edge or a node.
        """
        self._forks += 1
        output = self.folder / f"{self._forks}.log"
        order = {"argv": argv, "folder": str(scene.folder), "environ": environ}
        self._server.say(json.dumps({**order, "output": str(output)}).encode() + b"\n")
        return _Fork(self._server, self._forks, output)

    async def _ends(self, program: _Fork) -> None:
        await self.until(lambda: program.status is not None)

    async def _listens(self, edge: _Fork, port: int) -> None:
        where = f"tcp:127.0.0.1:{port}"
        await self.until(lambda: edge.status is not None or isListenedAt(where))
        self.assertEqual(edge.status, None)

    async def _client(self, kind: str, port: int, route: str, scene: _Scene) -> None:
        """
        Have a client of a port served.
        """
        if kind == "http":
            answer = await self.get(f"tcp:127.0.0.1:{port}", host=route)
            redirected = "--https-redirect" in scene.edge and route != "localhost"
            self.assertEqual(answer.status, 308 if redirected else 200, answer.body)
            return
        received = await deferToThread(_CLIENTS[kind], port, route)
        self.assertNotEqual(received, b"")

    async def test_run(self) -> None:
        """
        Each edge starts, serves a client on each of its ports where that is
        possible on this machine, and stops.
        """
        self._makeShared()
        ours = {"PYTHONPATH": f"{ROOT}:{self.folder}/shared/site:{ROOT}/examples/spawner"}
        self._server = self.start(PYTHON, "-m", "brxy.test.support.processes.forks", **ours)
        slots = DeferredSemaphore(_AT_ONCE)
        edge: Block | None = None
        scenes = []
        for block in allBlocks():
            if block.isRun():
                for scene in self._scenesOf(block, edge):
                    scenes.append((block, scene))
                if "brxy-edge" in block.text and "--spawn" not in block.text:
                    edge = block
        running = [slots.run(self._start, *each) for each in scenes]
        results = await DeferredList(running, consumeErrors=True)
        failed = [str(result) for well, result in results if not well]
        self.assertEqual(failed, [], "\n".join(failed))
        self.assertGreater(len(running), 50)

    def test_listed(self) -> None:
        """
        Each block is run, or shows a log, or is in the list of those that are
        not run; and each entry of the lists is one block.
        """
        blocks = allBlocks()
        for table in (ELSEWHERE, NOT_SERVED):
            for page, part in table:
                found = [each.number for each in blocks if each.page == page and part in each.text]
                self.assertEqual(len(found), 1, (page, part, found))
        for block in blocks:
            named = [part for page, part in ELSEWHERE if page == block.page and part in block.text]
            ways = [block.isRun(), block.isLog(), bool(named)]
            self.assertEqual(ways.count(True), 1, block)


class OtherTests(ProgramTests):
    """
    Tests of examples that are no command lines of an edge or a node.
    """

    async def test_help(self) -> None:
        """
        C{twistd --help} lists both programs as the page about installing says.
        """
        program = self.start(TWISTD, "--help", COLUMNS="80")
        self.assertEqual(await self.ended(program), 0)
        listed = _blockWith("$ twistd --help").splitlines()[1:]
        self.assertEqual(len(listed), 2)
        for line in listed:
            self.assertIn(line.strip(), program.out)

    def test_tutorialApp(self) -> None:
        """
        The functions of the tutorial's app are registered with Flask, and
        return the text that clients see.
        """
        views: dict[str, Any] = {}

        class Flask:
            def __init__(self, name: str) -> None:
                pass

            def get(self, path: str) -> Any:
                return lambda view: views.setdefault(path, view)

        flask = types.ModuleType("flask")
        flask.Flask = Flask  # type: ignore[attr-defined]
        self.patch(sys, "modules", {**sys.modules, "flask": flask})
        exec(_blockWith("from flask import"), {"__name__": "hello"})
        self.assertEqual(list(views), ["/", "/slow"])
        self.assertEqual(views["/"](), f"Hello from process {os.getpid()}\n")

    async def test_nginx(self) -> None:
        """
        With the configuration for nginx, an edge behind it gets requests and
        the client's address.
        """
        if shutil.which("nginx") is None:
            raise SkipTest("needs nginx: apt install nginx-light")
        (self.folder / "app.py").write_text(STUB.replace('b"served by "', 'data + b"served by "'))
        trust = ("--forwarded-trust", "127.0.0.0/8")
        edge = self.edge(*trust, "--spawn", f"app: -- {PYTHON} app.py")
        where = (await self.address(edge)).removeprefix("tcp:")
        location = _blockWith("proxy_pass").replace("10.0.0.20:8080", where)
        port = _freePort()
        paths = "".join(
            f"{name}_temp_path temp;"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        conf = f"events {{}} http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port};"
        (self.folder / "nginx.conf").write_text(f"{conf} {location} }} }}")
        options = ("-g", "daemon off; pid nginx.pid; error_log stderr;")
        nginx = self.start("nginx", "-p", str(self.folder), "-c", "nginx.conf", *options)
        await self.listening(f"tcp:127.0.0.1:{port}")
        answer = await self.get(f"tcp:127.0.0.1:{port}", host="shop.example.com")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("Host: shop.example.com\r\n", answer.body)
        self.assertIn("X-Forwarded-For: 127.0.0.1, 127.0.0.1\r\n", answer.body)
        nginx.signal(SIGTERM)
        self.assertEqual(await self.ended(nginx), 0)


def _blockWith(part: str) -> str:
    """
    @return: the text of the only block with a part.
    """
    [block] = [each for each in allBlocks() if part in each.text]
    return block.text


def _plain(port: int, route: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"PING\r\n")
        return client.recv(1000)


def _overTLS(client: socket.socket, route: str, data: bytes) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(client, server_hostname=route) as secure:
        secure.sendall(data)
        return secure.recv(1000)


def _secureHTTP(port: int, route: str) -> bytes:
    request = f"GET / HTTP/1.1\r\nHost: {route}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        answer = _overTLS(client, route, request.encode())
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return answer


def _secure(port: int, route: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        return _overTLS(client, route, b"PING\r\n")


def _securePostgres(port: int, route: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(_SSL_REQUEST)
        assert client.recv(1) == b"S"
        return _overTLS(client, route, b"PING\r\n")


def _named(port: int, route: str) -> bytes:
    """
    Send the first bytes of a handshake, which has a name. The app answers something else.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    handshake = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=route)
    with contextlib.suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(outgoing.read())
        return client.recv(1000)


# By the kind of a port, what returns bytes that the app sent.
_CLIENTS: dict[str, Callable[[int, str], bytes]] = {
    "https": _secureHTTP,
    "tcp": _plain,
    "sni": _named,
    "tls": _secure,
    "tls-postgres": _securePostgres,
}
