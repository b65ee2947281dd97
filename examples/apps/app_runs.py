"""
Runs one of the apps of C{apps.toml} behind an edge, from zero and back to zero.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import platform
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

HERE = Path(__file__).parent

#: Seconds within which an edge must start, an app must be gone, and the like.
LIMIT = 60.0

# The ports in the lines, and in the configurations of apps.
_PORTS = re.compile(r"\b(8080|8081|6379|5432)\b")

# What the environment of everything that a run starts contains.
_MARK = "STARTED_BY_RUN"

# Folders of Debian that are on no PATH.
_MORE_PROGRAMS = ("/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin")))


class Failed(Exception):
    """
    An app did not do what it must.
    """


@dataclasses.dataclass(frozen=True)
class App:
    """
    An entry of C{apps.toml}, which explains its fields.
    """

    name: str
    line: str
    check: str
    checked: str
    at_once: int
    most: int
    why: str
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    programs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    light: bool = False

    def version(self, folder: Path) -> str:
        """
        @return: of the app's first package or program, where that is known.
        """
        with suppress(Exception):
            if self.npm:
                about = folder / "node_modules" / self.npm[0] / "package.json"
                return str(json.loads(about.read_text())["version"])
            if self.pip:
                return importlib.metadata.version(self.pip[0].partition("[")[0])
            package = next(iter(self.programs.values()))
            query = ["dpkg-query", "--show", "--showformat", "${Version}", package]
            found = re.search(r"^(?:\d+:)?([\d.]+)", subprocess.check_output(query, text=True))
            return found[1] if found else ""
        return platform.python_version() if not self.programs else ""

    def missing(self) -> dict[str, str]:
        """
        @return: the programs that this machine lacks, with their Debian packages.
        """
        path = searchPath(os.environ)
        return {n: deb for n, deb in self.programs.items() if not shutil.which(n, path=path)}


def loadApps() -> list[App]:
    """
    @return: all apps, in their order.
    """
    entries = tomllib.loads((HERE / "apps.toml").read_text())["app"]
    return [App(**{**entry, "line": entry["line"].strip()}) for entry in entries]


def searchPath(environ: Mapping[str, str]) -> str:
    """
    @return: a C{PATH} with all folders in which programs may be.
    """
    return os.pathsep.join((environ.get("PATH", ""), *_MORE_PROGRAMS))


def until(condition: Callable[[], object], what: str) -> None:
    """
    Wait until a condition holds.
    """
    give_up = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > give_up:
            raise Failed(f"{what}: not within {LIMIT:g} s")
        time.sleep(0.02)


def unusedPort() -> int:
    """
    @return: a free port. Linux gives none of these to connections, nor brxy to apps.
    """
    while True:
        port = random.randrange(10000, 16384)
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port


class Run:
    """
    One app behind one edge.

    @ivar port: where clients connect.
    @ivar folder: the working folder of edge and app.
    """

    def __init__(
        self, app: App, folder: Path, environ: Mapping[str, str], extra: tuple[str, ...]
    ) -> None:
        """
        @param environ: the environment, with a C{PATH} on which brxy and the app are.
        @param extra: more options of the edge.
        """
        self.app = app
        self.folder = folder
        self._ports: dict[str, str] = {}
        self._extra = extra
        self._environ = environ
        self._mark = f"{_MARK}={uuid4().hex}"
        self._log = folder / "edge.log"
        self._edge: subprocess.Popen[bytes] | None = None

    def replaced(self, text: str) -> str:
        """
        @return: a text with free ports in place of those in C{apps.toml}.
        """

        def freePort(found: re.Match[str]) -> str:
            if found[0] not in self._ports:
                self._ports[found[0]] = str(unusedPort())
            return self._ports[found[0]]

        return _PORTS.sub(freePort, text)

    @property
    def port(self) -> int:
        """
        Where the edge listens for clients.
        """
        documented = next(port for port in ("8080", "6379", "5432") if port in self._ports)
        return int(self._ports[documented])

    def environ(self) -> dict[str, str]:
        """
        @return: the environment of edge, app and clients.
        """
        name, _, value = self._mark.partition("=")
        quiet = {"GRADIO_ANALYTICS_ENABLED": "False"}
        return {**self._environ, **quiet, "PATH": searchPath(self._environ), name: value}

    def command(self) -> list[str]:
        """
        @return: the words of the app's line, so that they can be run here: as root, servers
            that refuse to run as root get another user.
        """
        line = self.app.line.replace("\\\n", " ")
        if os.geteuid() == 0:
            line = line.replace("-- postgres", f"-- {shlex.join(asPostgres())} postgres")
            line = line.replace("jupyter lab", "jupyter lab --allow-root")
        words = shlex.split(self.replaced(line.replace("--port 8080", "--port 127.0.0.1:8080")))
        at = words.index("brxy-edge") + 1
        return [*words[:at], *self._extra, *words[at:]]

    def start(self) -> None:
        """
        Start the edge, and wait until it listens.
        """
        command = self.command()
        command.insert(1, "--pidfile=")
        with self._log.open("wb") as log:
            self._edge = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(self._listens, "the edge listens")

    def _listens(self) -> bool:
        assert self._edge is not None
        if self._edge.poll() is not None:
            raise Failed(f"the edge ended: {self.log()}")
        sockets = Path("/proc/self/net/tcp").read_text()
        return f":{self.port:04X} 00000000:0000 0A " in sockets

    def log(self) -> str:
        """
        @return: what edge and app have printed so far.
        """
        return self._log.read_text(errors="replace")

    def count(self, text: str) -> int:
        """
        @return: how often the log has a text.
        """
        return self.log().count(text)

    def running(self) -> list[int]:
        """
        @return: everything that this run has started and that still runs. Some programs
            overwrite their environment, but all orphans become children of the edge.
        """
        parents: dict[int, int] = {}
        found = set()
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError):
                environ = Path(f"/proc/{name}/environ").read_bytes()
                state, parent, *_ = (
                    Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                )
                if state not in "ZX":
                    parents[int(name)] = int(parent)
                    if self._mark.encode() in environ.split(b"\0"):
                        found.add(int(name))
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)

    def toZero(self) -> None:
        """
        Wait until nothing runs but the edge, and stop that.
        """
        edge = self._edge
        assert edge is not None
        until(lambda: self.count(": gone: ") >= self.count(": ordered"), "all instances are gone")
        until(lambda: self.running() == [edge.pid], "no process is left beside the edge")
        edge.send_signal(signal.SIGTERM)
        until(lambda: edge.poll() is not None, "the edge ends")
        if left := self.running():
            raise Failed(f"left behind: {left}")
        # Not in the output of the app, which follows its ticket: some apps report a connection
        # that the edge has taken back.
        if any("Traceback" in line and "| " not in line for line in self.log().splitlines()):
            raise Failed("there is a traceback in the log")

    def end(self) -> None:
        """
        Kill what is left after a failure.
        """
        while left := self.running():
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        if self._edge is not None:
            self._edge.wait()


def asPostgres() -> list[str]:
    """
    @return: what runs a command as the user C{postgres}, if this is root.
    """
    user = "postgres"
    ids = (f"--reuid={user}", f"--regid={user}", "--init-groups")
    return ["setpriv", *ids] if os.geteuid() == 0 else []


def copyFiles(folder: Path) -> None:
    """
    Put the files of all apps into the folder in which they run, readable for others.
    """
    shutil.copytree(HERE / "files", folder, dirs_exist_ok=True)
    folder.chmod(0o755)


def mostAtOnce(log: str) -> int:
    """
    @return: how many instances there were at once at most, without those that were leaving.
    """
    running: set[str] = set()
    most = 0
    for found in re.finditer(r"/([0-9a-f]{16}): (ordered|draining|gone)\b", log):
        if found[2] == "ordered":
            running.add(found[1])
        else:
            running.discard(found[1])
        most = max(most, len(running))
    return most


def runApp(
    app: App,
    folder: Path,
    prepare: Callable[[Run], None] | None,
    check: Callable[[Run], None],
    environ: Mapping[str, str],
    extra: tuple[str, ...],
) -> int:
    """
    Start an app by its line, check it, and have it scaled to zero.

    @return: how many instances there were at once.
    @raise Failed: it did not do what it must.
    """
    run = Run(app, folder, environ, extra)
    try:
        run.command()
        if prepare is not None:
            prepare(run)
        run.start()
        check(run)
        run.toZero()
    except BaseException as error:
        error.add_note(run.log() if (folder / "edge.log").exists() else "")
        raise
    finally:
        run.end()
    instances = mostAtOnce(run.log())
    if instances > app.most:
        raise Failed(f"{instances} instances, expected at most {app.most}")
    return instances
