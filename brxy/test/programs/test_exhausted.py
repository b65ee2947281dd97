"""
Tests of C{twistd brxy-edge} with real processes that run out of descriptors and processes.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from brxy.test.support.loopback.leftovers import onBothTransports
from brxy.test.support.loopback.tiers import tier
from brxy.test.support.processes.programs import PYTHON, Program, ProgramTests

# Answers each request on a connection of its own, and imports little.  A probe that the edge takes
# back ends in a reset.
_APP = """
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=100)
while True:
    connection = server.accept()[0]
    data = b""
    try:
        while b"\\r\\n\\r\\n" not in data and (more := connection.recv(65536)):
            data += more
        if data:
            connection.sendall(
                b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok"
            )
    except ConnectionError:
        pass
    connection.close()
"""

_APP_COMMAND = "python app.py"
_NODE_COMMAND = f"{PYTHON} -m brxy.node -- {_APP_COMMAND}"

#: What a system call that makes a descriptor or a process fails with.
_DESCRIPTORS = ["openat", "socket", "socketpair", "accept4", "pipe2", "dup", "epoll_create1"]
_DESCRIPTORS += ["eventfd2", "pidfd_open", "memfd_create"]
_PROCESSES = ["clone", "clone3", "vfork", "fork"]

# How many calls are made to fail, and which of the first 200.
_FAULTS = tier(6, 200)
_STEPS = range(0, 20, tier(5, 1))

_REASONS = re.compile(
    r"Too many open files|Resource temporarily unavailable|can't start new thread"
)


class _Tests(ProgramTests):
    """
    Starts an edge whose instances are gone a second after they were used.
    """

    def setUp(self) -> None:
        super().setUp()
        (self.folder / "app.py").write_text(_APP)
        (self.folder / "state").mkdir(0o700)

    async def launch(self, spawn: str) -> tuple[Program, str]:
        """
        @return: an edge, and its address.
        """
        edge = self.edge(
            *("--idle-timeout", "1", "--start-timeout", "20", "--hold-timeout", "20"),
            *("--wake-burst", "10000", "--wake-rate", "10000", "--state-dir", "state"),
            *("--spawn", spawn),
        )
        return edge, await self.address(edge)

    async def assertRecovers(self, edge: Program, address: str, host: str, before: int) -> None:
        """
        Check that the edge lives, serves again, and was not upset.

        @param before: the length of its log before something failed.
        """
        while (await self.get(address, host=host)).status != 200:
            self.assertIsNone(edge.status)
        said = edge.out[before:]
        self.assertNotIn("Traceback", said)
        self.assertNotIn("broken", said)
        reasons = Counter(
            # Without the time, and without what names one attempt of many.
            re.sub(r"/[0-9a-f]{16}", "", line[25:])
            for line in said.splitlines()
            if _REASONS.search(line)
        )
        for line, times in reasons.items():
            # The breaker lets one start be tried after one, two and four seconds. Each of the
            # two instances may refuse exchanges.
            most = 4 if "gone: " in line else 2 if "refuses" in line else 1
            self.assertLessEqual(times, most, said)

    def exhaust(self, pid: int, free: int) -> tuple[int, int]:
        """
        Leave a process this number of descriptors.

        @return: the limits before.
        """
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        unused = [number for number in range(len(used) + free + 1) if number not in used]
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (unused[free], before[1]))
        return before


@onBothTransports
class DescriptorTests(_Tests):
    """
    An edge whose limit of descriptors is reached.
    """

    async def step(self, edge: Program, address: str, free: int) -> None:
        """
        Have it meet its limit at the descriptor after the given number of them.
        """
        host, before = f"step{free}.example", len(edge.out)
        limits = self.exhaust(edge.pid, free)
        waiting = gatherResults([self.get(address, host=host) for _ in range(3)])
        if free:
            # Clients that can't be accepted wait in the queue.
            await self.until(lambda: waiting.called or _REASONS.search(edge.out[before:]))
        else:
            await self.said(edge, "can't accept|EMFILE")
        resource.prlimit(edge.pid, resource.RLIMIT_NOFILE, limits)
        statuses = {200, 502, 503}
        if self.transport == "reactor":
            # Twisted closes a connection for which it has no descriptor.
            statuses.add(0)
        self.assertTrue({each.status for each in await waiting} <= statuses)
        await self.assertRecovers(edge, address, host, before)

    async def test_app(self) -> None:
        """
        Wherever the edge meets its limit while it starts an app and connects to it, that is
        one line in the log, and it serves as soon as there are descriptors.
        """
        edge, address = await self.launch(f"app: max=2 -- {_APP_COMMAND}")
        for free in _STEPS:
            await self.step(edge, address, free)
        await self.stopped(edge)

    async def test_node(self) -> None:
        """
        The same with a node.
        """
        edge, address = await self.launch(f"process: max=2 -- {_NODE_COMMAND}")
        for free in _STEPS[::3]:
            await self.step(edge, address, free)
        await self.stopped(edge)

    async def test_refusing(self) -> None:
        """
        A node that can't connect to its app is one line in the edge's log.
        """
        edge, address = await self.launch(f"process: max=1 capacity=3 -- {_NODE_COMMAND}")
        self.assertEqual((await self.get(address)).status, 200)
        before = len(edge.out)
        [node] = [pid for pid in self.running() if b"\0brxy.node\0" in _command(pid)]
        limits = self.exhaust(node, 0)
        waiting = gatherResults([self.get(address) for _ in range(3)])
        await self.said(edge, "refuses exchanges for now: .*Too many open files")
        await deferLater(self.reactor, 1)
        resource.prlimit(node, resource.RLIMIT_NOFILE, limits)
        self.assertEqual([each.status for each in await waiting], [200] * 3)
        await self.assertRecovers(edge, address, "localhost", before)
        self.assertNotIn("draining", edge.out[before:])
        await self.stopped(edge)


class FaultTests(_Tests):
    """
    An edge whose system calls fail once each.
    """

    async def trace(self, edge: Program, *options: str) -> tuple[Program, Path]:
        """
        @return: strace, which follows the edge and not what it starts, and its output.
        """
        found = self.folder / "trace"
        found.unlink(missing_ok=True)
        calls = ",".join(_DESCRIPTORS + _PROCESSES)
        tracer = self.start(
            *("strace", "-f", "--detach-on=execve", "-p", str(edge.pid), "-o", str(found)),
            *("-e", f"trace={calls}", *options),
        )
        await self.until(lambda: " attached" in tracer.err or tracer.status is not None)
        if tracer.status is not None:
            raise SkipTest(f"strace: {tracer.err}")
        return tracer, found

    async def untrace(self, tracer: Program) -> None:
        """
        Let go of the edge.
        """
        tracer.signal(signal.SIGINT)
        await self.ended(tracer)

    async def calls(self, edge: Program, address: str) -> list[tuple[str, int]]:
        """
        @return: the calls of a cold start and two requests, each with its number among those of
            its kind.
        """
        tracer, found = await self.trace(edge)
        for _ in range(2):
            self.assertEqual((await self.get(address, host="first.example")).status, 200)
        await self.untrace(tracer)
        counted: Counter[str] = Counter()
        calls = []
        for match in re.finditer(r"^\d+ +(\w+)\(", found.read_text(), re.MULTILINE):
            counted[match[1]] += 1
            calls.append((match[1], counted[match[1]]))
        return calls[:200]

    async def test_once(self) -> None:
        """
        Whichever call that makes a descriptor or a process fails, the edge serves afterwards.
        """
        if shutil.which("strace") is None:
            raise SkipTest("needs strace (apt install strace)")
        edge, address = await self.launch(f"app: max=2 -- {_APP_COMMAND}")
        failed = 0
        for call, number in _spread(await self.calls(edge, address), _FAULTS):
            error = "EAGAIN" if call in _PROCESSES else "EMFILE"
            host, before = f"{call.replace('_', '-')}{number}.example", len(edge.out)
            tracer, found = await self.trace(
                edge, "-e", f"inject={call}:error={error}:when={number}"
            )
            answers = [await self.get(address, host=host) for _ in range(2)]
            self.assertTrue({each.status for each in answers} <= {200, 502, 503}, answers)
            await self.untrace(tracer)
            failed += "INJECTED" in found.read_text()
            await self.assertRecovers(edge, address, host, before)
        self.assertGreater(failed, 0)
        await self.stopped(edge)


def _spread(calls: list[tuple[str, int]], most: int) -> Iterator[tuple[str, int]]:
    """
    Choose from all kinds of calls.
    """
    if len(calls) <= most:
        yield from calls
        return
    kinds = {call: (call, number) for call, number in reversed(calls)}
    yield from list(kinds.values())[:most]


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
