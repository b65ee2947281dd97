"""
Helpers for tests of the command lines: they run programs as users do, and
leave no process behind.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

import brxy
from brxy.test.support.loopback.leftovers import DIES_WITH_US, RealTests, isAlive
from brxy.test.support.processes.terminals import Screen

__all__ = [
    "ANYWHERE",
    "DEMO",
    "GATE",
    "PYTHON",
    "TWISTD",
    "Answer",
    "Program",
    "ProgramTests",
    "isListenedAt",
]

PYTHON = sys.executable
TWISTD = str(Path(sys.executable).with_name("twistd"))

_ROOT = Path(brxy.__file__).parents[1]

#: The app of the tutorial.
DEMO = str(_ROOT / "examples" / "demo.py")

#: A port that the kernel chooses; L{ProgramTests.address} returns its address.
ANYWHERE = "tcp:0:interface=127.0.0.1"

#: An app that prints "asked" and answers once the file C{open} exists; at C{/env} it answers at
#: once, with its environment.
GATE = """\
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        if self.path == "/exit":
            os._exit(7)
        if self.path != "/env":
            print("asked", self.path, flush=True)
            while not os.path.exists("open"):
                time.sleep(0.01)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        # A connection that the app has not taken up in time is reset.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

Server(("127.0.0.1", int(os.environ["PORT"])), Request).serve_forever()
"""

# This is in the environment of all processes that a test starts, and so of those that they
# start; brxy takes its own variables from an app's environment.
_MARK = "STARTED_BY_TEST"


@frozen
class Answer:
    """
    What was received on a connection.

    @ivar status: of HTTP; 0 if there was no answer.
    """

    status: int
    head: str
    body: str


class _Client(Protocol):
    """
    Sends bytes, and collects what is received until the connection is closed.
    """

    def __init__(self, request: bytes) -> None:
        self.closed: Deferred[Answer] = Deferred()
        self._request = request
        self._received = b""

    def connectionMade(self) -> None:
        """
        Send the bytes.
        """
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """
        Collect a part of the answer.
        """
        self._received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Return the answer.
        """
        head, _, body = self._received.decode().partition("\r\n\r\n")
        status = re.match(r"HTTP/1\.1 (\d{3}) ", head)
        self.closed.callback(Answer(int(status[1]) if status else 0, head, body))


def isListenedAt(address: str, pid: int | str = "self") -> bool:
    """
    @return: whether a server accepts connections at an address. The check
        makes no connection.

    @param address: C{tcp:HOST:PORT} or C{unix:PATH}.
    @param pid: of a process in whose network that is.
    """
    if address.startswith("unix:"):
        # Num RefCount Protocol Flags Type St Inode Path, see proc(5).
        sockets = Path(f"/proc/{pid}/net/unix").read_text().splitlines()
        accepting = [line.split() for line in sockets if line.endswith(address[5:])]
        return any(fields[3] == "00010000" for fields in accepting)
    port = int(address.rpartition(":")[2])
    sockets = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()
    return any(f":{port:04X} 00000000:0000 0A " in line for line in sockets)


def _noticeInterrupts() -> None:
    # A shell that runs the tests in the background has them, and the programs that they start,
    # ignore SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Program:
    """
    A command that was started.
    """

    def __init__(self, argv: Sequence[str], folder: Path, environ: dict[str, str]) -> None:
        name = uuid4().hex
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*DIES_WITH_US, *argv],
                cwd=folder,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                preexec_fn=_noticeInterrupts,
            )
        self.pid = self._process.pid

    @property
    def out(self) -> str:
        """
        The program's standard output so far.
        """
        return self._out.read_text()

    @property
    def err(self) -> str:
        """
        The program's standard error so far.
        """
        return self._err.read_text()

    @property
    def status(self) -> int | None:
        """
        The exit status, as L{subprocess.Popen.returncode}; L{None} while the
        program runs.
        """
        return self._process.poll()

    def signal(self, number: int) -> None:
        """
        Send a signal to the program.
        """
        self._process.send_signal(number)

    def say(self, data: bytes) -> None:
        """
        Write to the program's standard input.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def closeInput(self) -> None:
        """
        Close the program's standard input.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()

    def reap(self) -> None:
        """
        Clean up after the program was killed: leave no zombie, and no pipe.
        """
        self.closeInput()
        self._process.wait()


class ProgramTests(RealTests):
    """
    Base of tests of command lines.

    @ivar mark: is in the environment of all processes that they start,
        C{NAME=value}.
    @ivar folder: where they run, of each test's own and with a short name (the
        path of a Unix socket is limited).
    """

    timeout = 100

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.mark = f"{_MARK}={uuid4().hex}"
        self._programs: list[Program | Screen] = []
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self._endAll)

    async def _endAll(self) -> None:
        while pids := self.running():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await self.gone(*pids)
        for program in self._programs:
            program.reap()

    @property
    def on(self) -> tuple[str, str]:
        """
        @return: the option that chooses the transport.
        """
        return "--transport", self.transport

    def running(self) -> list[int]:
        """
        @return: all processes that run because of this test.
        """
        mark = self.mark.encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    environ = Path(f"/proc/{name}/environ").read_bytes()
                except OSError:
                    continue
                if mark in environ.split(b"\0") and isAlive(int(name)):
                    found.append(int(name))
        return found

    async def gone(self, *pids: int) -> None:
        """
        Wait until these processes run no more.
        """
        await self.until(lambda: not any(isAlive(pid) for pid in pids))

    def start(self, *argv: str, **environ: str) -> Program:
        """
        Start a command.

        @param environ: variables in addition to our own environment, from
            which brxy's variables are removed.
        """
        program = Program(argv, self.folder, self.environment(environ))
        self._programs.append(program)
        return program

    def startOnScreen(self, *argv: str, **environ: str) -> Screen:
        """
        Start a command that leads the session of a terminal of its own.

        @param environ: see L{start}.
        """
        screen = Screen(argv, self.folder, self.environment(environ))
        self._programs.append(screen)
        return screen

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """
        @return: the environment of a program, with these variables in addition.
        """
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("BRXY_") and name not in ("ROUTE", "PORT", "HOST")
        }
        name, _, value = self.mark.partition("=")
        ours = {"PYTHONPATH": str(_ROOT), name: value}
        return {**inherited, **ours, **more}

    def edge(self, *arguments: str) -> Program:
        """
        Start an edge in the foreground, whose two ports the kernel chooses.
        """
        ports = ("--port", ANYWHERE, "--node-port", ANYWHERE)
        return self.start(TWISTD, "-n", "brxy-edge", *self.on, *ports, *arguments)

    def gate(self) -> str:
        """
        Write L{GATE} into the folder.

        @return: the command that runs it.
        """
        (self.folder / "gate.py").write_text(GATE)
        return "python gate.py"

    def openGate(self) -> None:
        """
        Let the app of L{gate} answer.
        """
        (self.folder / "open").touch()

    async def ended(self, program: Program) -> int:
        """
        @return: the exit status of a program, once it has ended.
        """
        await self.until(lambda: program.status is not None)
        assert program.status is not None
        return program.status

    async def said(self, program: Program, pattern: str) -> re.Match[str]:
        """
        Wait until the output of a program matches.
        """
        while True:
            # In this order, because the last output may come just before the end.
            ended = program.status is not None
            match = re.search(pattern, program.out)
            if match:
                return match
            if ended:
                self.fail(f"no {pattern!r} in:\n{program.out}{program.err}")
            await self.until(lambda: re.search(pattern, program.out) or program.status is not None)

    async def address(self, program: Program, factory: str = "HTTPFactory") -> str:
        """
        @return: where an edge listens for clients (C{SlotFactory}: for nodes),
            as a client endpoint.
        """
        match = await self.said(program, rf"{factory} starting on (\d+)\n")
        address = f"tcp:127.0.0.1:{match[1]}"
        await self.listening(address)
        return address

    async def listening(self, address: str) -> None:
        """
        Wait until a server listens on an address: Twisted logs that it starts
        a moment before that.
        """
        await self.until(lambda: isListenedAt(address))

    def get(self, address: str, path: str = "/", host: str = "localhost") -> Deferred[Answer]:
        """
        Make a request, on a connection of its own.

        @param address: of the edge, as a client endpoint.
        """
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        return self.talk(address, request.encode())

    def talk(self, address: str, request: bytes) -> Deferred[Answer]:
        """
        Send bytes, and collect what is received until the connection is
        closed.
        """
        client = _Client(request)
        answer: Deferred[Answer] = connectProtocol(
            clientFromString(self.reactor, address), client
        ).addCallback(lambda _: client.closed)
        return answer

    async def stopped(self, program: Program, number: int = signal.SIGTERM) -> None:
        """
        Stop a program by a signal. Check that it ends by that signal without a
        complaint, and that none of the started processes is left.
        """
        program.signal(number)
        self.assertEqual(await self.ended(program), -number)
        self.assertEqual(program.err, "")
        self.assertNotIn("Traceback", program.out)
        await self.until(lambda: not self.running())
