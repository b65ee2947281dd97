"""
Parts of L{brxy.spawners.testing}: an edge in a process of its own, a node port without an
edge, a client.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from brxy.wire.frames import HELLO, PING, PONG, READY, VERSION, Decoder, frame
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Answer", "Client", "EdgeProcess", "NodePort", "processesWith"]

_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LINE = re.compile(rb"\r\n\r\n.*?(\{[^\n]*\})\n", re.DOTALL)


def processesWith(*assignments: str) -> list[int]:
    """
    @param assignments: C{NAME=value}, or C{NAME=} for any value.
    @return: the processes of this machine with all of these in their environment.
    """
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path(f"/proc/{name}/environ").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        # A zombie's is empty.
        words = environ.split("\0")
        if all(any(_matches(word, each) for word in words) for each in assignments):
            found.append(int(name))
    return found


def _matches(word: str, assignment: str) -> bool:
    return word.startswith(assignment) if assignment.endswith("=") else word == assignment


class EdgeProcess:
    """
    An edge as people run it, in its own process.

    @ivar pid: its process id.
    """

    def __init__(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        """
        @param arguments: of C{python -m brxy.edge}.
        @param folder: where it runs, and writes its log.
        """
        self._log = folder / f"edge-{len(list(folder.glob('edge-*.log')))}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "brxy.edge", *arguments],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid

    @property
    def log(self) -> str:
        """
        The log of the edge.
        """
        return self._log.read_text("utf-8", "replace")

    @property
    def ended(self) -> bool:
        """
        Whether the process has ended.
        """
        return self._process.poll() is not None

    @property
    def port(self) -> int:
        """
        The port where it accepts requests, on loopback; 0 until it does.
        """
        match = re.search(r"HTTPFactory starting on (\d+)\n", self.log)
        return int(match[1]) if match else 0

    def signal(self, number: int) -> None:
        """
        Send it a signal.
        """
        if not self.ended:
            self._process.send_signal(number)

    def kill(self) -> None:
        """
        End it by SIGKILL, at once.
        """
        self.signal(signal.SIGKILL)
        self._process.wait()


class _Slot(Protocol):
    """
    A node's connection.
    """

    def __init__(self, ready: dict[str, Deferred[None]], slots: set[_Slot]) -> None:
        self._all = ready
        self._slots = slots
        self._ticket = ""
        self._decoder = Decoder()

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        self._slots.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._slots.discard(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        assert self.transport is not None
        for kind, _, payload in self._decoder.feed(data):
            if kind == HELLO:
                hello = Hello.decode(payload)
                self._ticket = hello.ticket
                welcome = Welcome(VERSION, "test", hello.generation or 1, True)
                self.transport.write(welcome.encode())
            elif kind == PING:
                # A node that is being stopped waits for this.
                self.transport.write(frame(PONG))
            elif kind == READY:
                ready = self._all.pop(self._ticket, None)
                if ready is not None:
                    ready.callback(None)


class NodePort(Factory):
    """
    A node port that gives nodes no work.
    """

    noisy = False

    def __init__(self) -> None:
        self._ready: dict[str, Deferred[None]] = {}
        self._slots: set[_Slot] = set()

    def stop(self) -> None:
        """
        Cut all connections.
        """
        for slot in list(self._slots):
            cast(ITCPTransport, slot.transport).abortConnection()

    def ready(self, ticket: str) -> Deferred[None]:
        """
        @return: fires when the node with this ticket stands ready.
        """
        ready: Deferred[None] = Deferred()
        self._ready[ticket] = ready
        return ready

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{Factory}.
        """
        return _Slot(self._ready, self._slots)


@frozen
class Answer:
    """
    The answer of an edge.

    @ivar status: the HTTP status; 0 if there was no answer.
    @ivar about: the JSON of L{brxy.spawners.testing.app}; C{{}} if another answered.
    """

    status: int
    about: Mapping[str, Any]


class Client(Protocol):
    """
    Makes one request, and keeps the connection until L{hangUp} or its end.

    @ivar answered: fires with the L{Answer}.
    """

    def __init__(self, path: str, host: str) -> None:
        self.answered: Deferred[Answer] = Deferred()
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        )
        self._received = b""

    def connectionMade(self) -> None:
        """
        See L{Protocol}.
        """
        assert self.transport is not None
        self.transport.write(self._request)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        self._received += data
        line = _LINE.search(self._received)
        if line:
            self._answer(json.loads(line[1]))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        self._answer({})

    def _answer(self, about: Mapping[str, Any]) -> None:
        status = _STATUS.match(self._received)
        if not self.answered.called:
            self.answered.callback(Answer(int(status[1]) if status else 0, about))

    def hangUp(self) -> None:
        """
        Close the connection.
        """
        with suppress(AttributeError):
            self.transport.abortConnection()  # type: ignore[union-attr]
