"""
Helpers for tests of real processes: which processes run, which are left, and
waiting for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

__all__ = [
    "DIES_WITH_US",
    "Output",
    "RealTests",
    "aliveInGroup",
    "isAlive",
    "onBothTransports",
]

#: A prefix for commands that must not outlive the tests, even if those are killed.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


def _stat(pid: int) -> tuple[str, int]:
    """
    @return: the state and the group of a process, see proc(5); C{"X", 0} for a
        process that no longer exists.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "X", 0
    state, _, group, *_ = text.rpartition(b")")[2].split()
    return state.decode(), int(group)


def isAlive(pid: int) -> bool:
    """
    @return: whether the process runs. A zombie doesn't.
    """
    return _stat(pid)[0] not in "ZX"


def aliveInGroup(group: int) -> list[int]:
    """
    @return: the running processes of a group.
    """
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if _stat(pid)[1] == group and isAlive(pid)]


class RealTests(TestCase):
    """
    Base of tests of real processes.

    @ivar reactor: the real one.
    @ivar transport: of edges and nodes, as a value of C{--transport}.
    """

    timeout = 100
    transport = "epoll"

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor

    async def until(self, condition: Callable[[], object]) -> None:
        """
        Wait until a condition holds; the test's own timeout is the limit.
        """
        while not condition():
            await deferLater(self.reactor, 0.005)


_T = TypeVar("_T", bound=RealTests)


def onBothTransports(tests: type[_T]) -> type[_T]:
    """
    Decorate a class whose tests must hold on Twisted's transport as well: a
    subclass is added beside it that runs them there.
    """
    name = f"{tests.__name__}OnReactor"
    module = sys.modules[tests.__module__]
    body = {"transport": "reactor", "__doc__": tests.__doc__, "__module__": tests.__module__}
    setattr(module, name, type(name, (tests,), body))
    return tests


class Output:
    """
    Collects what a child prints.

    @ivar lines: each line, with the descriptor that it was written to.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[int, bytes]] = []
        self._awaited: list[tuple[bytes, Deferred[None]]] = []

    def __call__(self, descriptor: int, line: bytes) -> None:
        self.lines.append((descriptor, line))
        for awaited, deferred in list(self._awaited):
            if awaited == line:
                self._awaited.remove((awaited, deferred))
                deferred.callback(None)

    def line(self, line: bytes) -> Deferred[None]:
        """
        @return: fires when this line arrives.
        """
        deferred: Deferred[None] = Deferred()
        self._awaited.append((line, deferred))
        return deferred
