"""
Tests of L{brxy.edge.admin.state.usage}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.state.usage import measure

__all__ = ["UsageTests"]

#: Has a child in a session of its own, and one whose parent has ended; says when they run.
FAMILY = """
import os, sys, time
if not os.fork():
    os.setsid()
    print("x", flush=True)
    time.sleep(100)
if not os.fork():
    if not os.fork():
        print("x", flush=True)
        time.sleep(100)
    os._exit(0)
os.wait()
print("x", flush=True)
time.sleep(100)
"""


def done(work: Generator[None, None, Any]) -> Any:
    """
    @return: what a generator returns.
    """
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


class UsageTests(SynchronousTestCase):
    """
    Tests of L{measure} with real processes.
    """

    def start(self) -> subprocess.Popen[str]:
        """
        Start a process with its family, in a session of its own.
        """
        started = subprocess.Popen(
            [sys.executable, "-c", FAMILY],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert started.stdout is not None
        self.addCleanup(started.stdout.close)
        self.addCleanup(started.wait)
        self.addCleanup(self.end, started.pid)
        for _ in range(3):
            started.stdout.readline()
        return started

    def end(self, leader: int) -> None:
        """
        End all processes of a family.
        """
        for name in os.listdir("/proc"):
            if name.isdigit() and self.isOf(leader, int(name)):
                os.kill(int(name), 9)

    def isOf(self, leader: int, pid: int) -> bool:
        """
        @return: whether a process is of the family of a leader.
        """
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            return False
        return leader in (pid, int(fields[1]), int(fields[3]))

    def test_family(self) -> None:
        """
        What a process uses includes its descendants, and what is left in its session of
        children that have ended.
        """
        one, two = self.start(), self.start()
        found = done(measure({one.pid: "a", two.pid: "b"}))
        self.assertEqual(set(found), {"a", "b"})
        with open(f"/proc/{one.pid}/statm", encoding="utf-8") as file:
            alone = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        # Three processes, of which two have what they changed since they began.
        self.assertGreater(found["a"].memory, 2 * alone)
        self.assertGreaterEqual(found["a"].cpu, 0.0)

    def test_gone(self) -> None:
        """
        Of a process that is gone nothing is known.
        """
        self.assertEqual(done(measure({2**22 + 1: "a"})), {})
