"""
Tests of L{brxy.processes.orphans}, in processes of their own.
"""

from __future__ import annotations

import os
import shutil
import sys

from twisted.trial.unittest import SkipTest

from brxy.test.support.processes.programs import ProgramTests

# Starts two kinds of children: one that leaves orphans that end at once, and ones of libraries.
# Ends when no zombie is left but the one that the library has not waited for.
_ADOPTING = """
import os, subprocess, sys
from twisted.internet import reactor, utils
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from brxy.processes.child import Child
from brxy.processes.orphans import Orphans

def children():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat[1]) == os.getpid():
            found.append((int(name), stat[0]))
    return found

async def main():
    Orphans(reactor).adopt()
    own = subprocess.Popen(["sh", "-c", "exit 7"])
    apart = subprocess.Popen(["sh", "-c", "exit 8"], start_new_session=True)
    script = "for i in 1 2 3 4 5; do setsid sh -c 'sleep 0.0$0' $i & done; sleep 0.02; exit 5"
    started = [
        Child(reactor, ["sh", "-c", script], os.environ, print, die_with_parent=die)
        for die in (True, False) * 3
    ]
    for child in started:
        child.start()
    spawned = await utils.getProcessValue("sh", ["-c", "sleep 0.1; exit 9"], os.environ)
    statuses = [(await child.ended).status for child in started]
    while len(children()) > 2:
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 0.2)
    left = sorted(children())
    print(statuses, spawned, left == sorted([(own.pid, "Z"), (apart.pid, "Z")]), flush=True)
    print(own.wait(), apart.wait(), children(), flush=True)

react(lambda _: Deferred.fromCoroutine(main()))
"""

_EXPECTED = "[5, 5, 5, 5, 5, 5] 9 True\n7 8 []\n"

# What is left of the signal when the reactor has removed its handler.
_STOPPED = """
import signal
from twisted.internet import reactor
from brxy.processes.orphans import Orphans

Orphans(reactor).adopt()
reactor.callWhenRunning(reactor.stop)
reactor.run()
print(signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL)
print(signal.SIGCHLD in signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""

# What comes to process 1 from outside: the parent of the orphan enters its namespace.
_ENTER = "nsenter --target {pid} --pid --mount setsid sh -c 'setsid sh -c \"sleep 0.2\" & exit 0'"


class OrphanTests(ProgramTests):
    """
    Tests of L{brxy.processes.orphans.Orphans}.
    """

    async def test_reaped(self) -> None:
        """
        Orphans of children are reaped, and children of libraries are not.
        """
        program = self.start(sys.executable, "-c", _ADOPTING)
        self.assertEqual(await self.ended(program), 0, program.err)
        self.assertEqual(program.out, _EXPECTED)

    async def test_stopped(self) -> None:
        """
        A child that ends while the reactor's handler is removed is no signal any more: Python
        would write a traceback.
        """
        program = self.start(sys.executable, "-c", _STOPPED)
        self.assertEqual(await self.ended(program), 0, program.err)
        self.assertEqual(program.out, "True\nTrue\n")

    async def test_process1(self) -> None:
        """
        The same holds for process 1.
        """
        self.needNamespaces()
        program = self.start(*_FIRST, sys.executable, "-c", _ADOPTING)
        self.assertEqual(await self.ended(program), 0, program.err)
        self.assertEqual(program.out, _EXPECTED)

    def needNamespaces(self) -> None:
        """
        Leave a test out where it can't be run.
        """
        if os.geteuid() or not shutil.which("unshare"):
            raise SkipTest("needs root, and unshare of util-linux")

    async def test_outside(self) -> None:
        """
        An edge that is process 1 reaps orphans that others leave it, as those of
        C{docker exec} and of health checks.
        """
        self.needNamespaces()
        edge = self.start(
            *(*_FIRST, sys.executable, "-m", "brxy.edge"),
            *("--port", f"unix:{self.folder}/clients", "--node-port", f"unix:{self.folder}/nodes"),
        )
        await self.listening(f"unix:{self.folder}/clients")
        first = next(pid for pid in self.running() if _namespaced(pid))
        for _ in range(3):
            entering = self.start("sh", "-c", _ENTER.format(pid=first))
            self.assertEqual(await self.ended(entering), 0, entering.err)
        # Each is a zombie first.
        await self.until(lambda: not _childrenOf(first))
        self.assertNotIn("Traceback", edge.out)


_FIRST = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


def _namespaced(pid: int) -> bool:
    """
    Whether a process is process 1 of a namespace below this one.
    """
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("NSpid:"):
                return len(line.split()) > 2 and line.split()[-1] == "1"
    return False


def _childrenOf(parent: int) -> list[int]:
    """
    The children of a process, zombies included.
    """
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(name))
        except OSError:
            continue
    return found
