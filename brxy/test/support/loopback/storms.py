"""
Real instances of a light app that are killed, stopped or replaced while many
clients send requests to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

import brxy
from brxy.spawners.local import app, process
from brxy.test.support.loopback.crowds import CrowdTests
from brxy.test.support.loopback.edges import spawnRule
from brxy.test.support.loopback.leftovers import isAlive
from brxy.test.support.loopback.peers import Broken

__all__ = ["LIGHT", "Customers", "StormTests", "nodeOf"]

#: The path of the light app.
LIGHT = str(Path(brxy.__file__).parent / "test" / "apps" / "light.py")


class Customers:
    """
    Clients that send request after request, each on a connection that it
    keeps.

    @ivar answers: how often each status was received; 0: a broken connection.
    @ivar pids: the processes that have answered, the last one last.
    @ivar posted: every POST so far, with its status.
    @ivar waiting: for each client that waits for an answer, the number of all
        answers when it sent its request.
    """

    def __init__(self, tests: StormTests) -> None:
        self.answers: Counter[int] = Counter()
        self.pids: dict[int, None] = {}
        self.posted: dict[str, int] = {}
        self.waiting: dict[int, int] = {}
        self._tests = tests
        self._numbers = count()
        self._leaving = False
        self._clients: list[Deferred[None]] = []

    def come(self, number: int, make: Callable[[], bytes]) -> None:
        """
        Add this many clients.

        @param make: makes each request.
        """
        for _ in range(number):
            client = self._client(next(self._numbers), make)
            self._clients.append(Deferred.fromCoroutine(client))

    async def leave(self) -> None:
        """
        Have all clients get their last answers, and disconnect.
        """
        self._leaving = True
        for client in self._clients:
            await client

    def post(self) -> bytes:
        """
        @return: a POST that is different from all others.
        """
        target = f"/20?{len(self.posted)}"
        self.posted[target] = -1
        return f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()

    async def _client(self, number: int, make: Callable[[], bytes]) -> None:
        while not self._leaving:
            peer = await self._tests.connect()
            with suppress(Broken):
                while not self._leaving and not peer.ended:
                    request = make()
                    status = 0
                    self.waiting[number] = self.answers.total()
                    try:
                        peer.write(request)
                        answer = await peer.answer()
                        status = answer.status
                    finally:
                        del self.waiting[number]
                        self.answers[status] += 1
                        target = request.split(b" ")[1].decode()
                        if target in self.posted:
                            self.posted[target] = status
                    if status == 200:
                        pid = int(answer.body)
                        self.pids.pop(pid, None)
                        self.pids[pid] = None
            peer.close()


class StormTests(CrowdTests):
    """
    Base of tests with an edge in the process of the test run, and real
    instances.

    @ivar customers: its clients.
    @ivar orders: how many instances were ordered.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self._killAll)
        #: The app writes the POSTs that it receives to this file. Its path also distinguishes
        #: its processes from all others.
        self.log = self.folder / "posts"
        self.customers = Customers(self)
        self.command = [sys.executable, "-I", "-S", LIGHT, str(self.log)]

    async def _killAll(self) -> None:
        while pids := self.running():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await self.until(lambda: not any(isAlive(pid) for pid in pids))  # noqa: B023

    def running(self) -> list[int]:
        """
        @return: every process that runs because of this test: apps and nodes.
        """
        mark = os.fsencode(self.log)
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError):
                    arguments = Path(f"/proc/{name}/cmdline").read_bytes()
                    if mark in arguments and isAlive(int(name)):
                        found.append(int(name))
        return found

    def posts(self) -> Counter[str]:
        """
        @return: how often each POST has reached an app.
        """
        return Counter(self.log.read_text().split() if self.log.exists() else ())

    def launchApps(self, rule: Mapping[str, Any], **settings: Any) -> None:
        """
        Start an edge that starts apps and fronts them.

        @param rule: for L{spawnRule}.
        @param settings: for L{brxy.edge.service.EdgeSettings}.
        """
        spawner = app.AppSpawner(app.AppOptions(), self.command, self.reactor)
        self.startEdge(spawnRule(spawner, **rule), **settings)

    def launchNodes(self, rule: Mapping[str, Any], **settings: Any) -> None:
        """
        Start an edge that starts nodes, with the same parameters.
        """
        twistd = Path(sys.executable).with_name("twistd")
        command = [str(twistd), "-n", "brxy-node", "--", *self.command]
        spawner = process.ProcessSpawner(process.ProcessOptions(), command, self.reactor)
        self.startEdge(spawnRule(spawner, **rule), **settings)

    async def answered(self, number: int) -> None:
        """
        Wait for this many more answers.
        """
        enough = self.customers.answers.total() + number
        await self.until(lambda: self.customers.answers.total() >= enough)

    async def serving(self, number: int) -> None:
        """
        Wait until this many different running instances have answered.
        """
        await self.until(lambda: len(self.alive()) >= number)

    def alive(self) -> list[int]:
        """
        @return: the running apps that have answered; the one that answered
            last is the last.
        """
        return [pid for pid in self.customers.pids if isAlive(pid)]

    async def pause(self, seconds: float) -> None:
        """
        Let time pass.
        """
        await deferLater(self.reactor, seconds)


def nodeOf(app_pid: int) -> int:
    """
    @return: the node of an app, which is its parent process.
    """
    text = Path(f"/proc/{app_pid}/stat").read_bytes()
    return int(text.rpartition(b")")[2].split()[1])
