"""
Tests of an edge whose clients are many and bad: real processes, real tools.

How long others took meanwhile, and what it cost, is written to trial's log: on a busy
machine nothing can be promised about that.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python import log
from twisted.trial.unittest import SkipTest

from brxy.test.crowds import get, raiseFileLimit
from brxy.test.peers import Peer, connect
from brxy.test.programs import Program, ProgramTests
from brxy.test.tiers import tier

#: The path of the app that has time for everybody.
PATIENT = str(Path(__file__).with_name("apps") / "patient.py")

_MiB = 1024


def memory(pid: int) -> int:
    """
    @return: how much memory a process has now, in KiB.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])


def cpu(pid: int) -> float:
    """
    @return: how long a process has run, in seconds of processor time.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    """
    @return: how many a process has open.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


class _Address:
    """
    Where a port is.
    """

    host = "127.0.0.1"

    def __init__(self, endpoint: str) -> None:
        self.port = int(endpoint.rpartition(":")[2])


class FloodTests(ProgramTests):
    """
    Base of these tests.

    @ivar port: where clients connect.
    """

    timeout = 600

    async def launch(self, *arguments: str) -> Program:
        """
        Start an edge.
        """
        edge = self.edge(*arguments)
        self.port = _Address(await self.address(edge))
        return edge

    async def client(self, host: str = "127.0.0.1") -> Peer:
        """
        Connect to the edge; the connection is cut after the test.
        """
        peer = await connect(self.reactor, self.port, host)
        self.addCleanup(peer.abort)
        return peer

    async def ask(self, peer: Peer, target: str = "/", host: str = "localhost") -> int:
        """
        @return: the status that a client gets.
        """
        peer.forget()
        peer.write(get(target, host))
        return (await peer.answer()).status

    async def watch(self, name: str, edge: Program, until: Deferred[Any]) -> tuple[int, int]:
        """
        Have a client that behaves ask again and again, until something has happened:
        it gets its answer each time.

        @return: the most memory that the edge had meanwhile, in KiB, and the most
            descriptors.
        """
        peer = await self.client("127.0.0.2")
        times = []
        most, files, began, ran = 0, 0, time.monotonic(), cpu(edge.pid)
        while not until.called:
            asked = time.monotonic()
            self.assertEqual(await self.ask(peer, "/20"), 200)
            times.append(time.monotonic() - asked)
            most, files = max(most, memory(edge.pid)), max(files, descriptors(edge.pid))
            await deferLater(self.reactor, 0.01)
        times.sort()
        p50, p99 = (times[int(part * len(times))] * 1e3 for part in (0.5, 0.99))
        ran, took = cpu(edge.pid) - ran, time.monotonic() - began
        log.msg(
            f"{name}: {len(times)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms; the edge ran "
            f"{ran:.1f} s of {took:.1f}, and had {most // _MiB} MiB, {files} files"
        )
        return most, files

    def after(self, seconds: float) -> Deferred[None]:
        """
        @return: fires after so many seconds.
        """
        return deferLater(self.reactor, seconds)


class SlowlorisTests(FloodTests):
    """
    Tests with slowhttptest: connections that do everything as slowly as they can.
    """

    CONNECTIONS = tier(200, 1000)

    #: Seconds for each thing that a client has to do.
    TIMES = (
        *("--head-timeout", str(tier(1, 15)), "--keep-alive-timeout", str(tier(2, 75))),
        *("--body-timeout", str(tier(1, 30)), "--write-timeout", str(tier(1, 60))),
    )

    def setUp(self) -> None:
        if shutil.which("slowhttptest") is None:
            raise SkipTest("needs slowhttptest (apt-get install slowhttptest)")
        super().setUp()
        self.addCleanup(raiseFileLimit())

    async def attack(self, mode: str, path: str, *arguments: str) -> None:
        """
        Have so many connections do it until all of them have been cut off, while
        another client is served.
        """
        app = f"app: capacity=2000 -- {sys.executable} -I -S {PATIENT}"
        edge = await self.launch(*self.TIMES, "--spawn", app)
        self.assertEqual(await self.ask(await self.client()), 200)
        before, _ = await self.watch(f"before {mode}", edge, self.after(tier(0.5, 15.0)))
        slow = self.start(
            *("slowhttptest", mode, "-c", str(self.CONNECTIONS), "-r", str(self.CONNECTIONS)),
            *("-l", str(tier(60, 240)), "-p", "30", *arguments),
            *("-u", f"http://127.0.0.1:{self.port.port}{path}"),
        )
        ended = Deferred.fromCoroutine(self.ended(slow))
        most, files = await self.watch(f"during {mode}", edge, ended)
        self.assertIn("No open connections left", slow.out)
        self.assertLess(most - before, 50 * _MiB)
        self.assertGreater(files, self.CONNECTIONS // 2)
        # Nothing of them is left.
        await self.until(lambda: descriptors(edge.pid) < 100)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)

    async def test_heads(self) -> None:
        """
        Requests that never end.
        """
        await self.attack("-H", "/", "-i", "1", "-x", "24")

    async def test_bodies(self) -> None:
        """
        Bodies that never end.
        """
        await self.attack("-B", "/", "-i", "5", "-x", "8", "-s", "8192")

    async def test_readers(self) -> None:
        """
        Answers that are hardly read.
        """
        await self.attack("-X", "/10000000", "-n", "5", "-z", "8", "-w", "8", "-y", "64")
