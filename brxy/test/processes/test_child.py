"""
Tests of L{brxy.processes.child}, with real processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.processes.child import Child, Ended
from brxy.processes.launch import launch
from brxy.processes.pipes import MAX_LINE
from brxy.test.support.loopback.leftovers import Output, RealTests, aliveInGroup, isAlive

# Prints the id of its child, and does nothing more.
_PARENT = """
import os, sys
from twisted.internet import reactor
from brxy.processes.child import Child
child = Child(
    reactor, ["sleep", "1000"], os.environ, print, die_with_parent=sys.argv[1] == "die"
)
child.start()
def fire():
    if child.pid:
        print(child.pid, flush=True)
    else:
        reactor.callLater(0.001, fire)
fire()
reactor.run()
"""


class EndedTests(SynchronousTestCase):
    """
    Tests of L{Ended}.
    """

    def test_describe(self) -> None:
        """
        It says how the process ended, and what its last words were if it failed.
        """
        for ended, described in (
            (Ended(0, None, "all well"), "exit status 0"),
            (Ended(1, None), "exit status 1"),
            (Ended(1, None, "no such module"), "exit status 1: no such module"),
            (Ended(None, 9, "working"), "killed by SIGKILL"),
            (Ended(None, 50), "killed by signal 50"),
        ):
            self.assertEqual(ended.describe(), described)


class _Tests(RealTests):
    """
    Runs children that are gone after the test.
    """

    def child(self, script: str, **kw: Any) -> Child:
        """
        Start a shell.
        """
        self.output = Output()
        options = {"die_with_parent": False, **kw}
        child = Child(self.reactor, ["sh", "-c", script], os.environ, self.output, **options)
        child.start()
        self.addCleanup(self.clean, child)
        return child

    def clean(self, child: Child) -> Deferred[None]:
        """
        End it if it runs still.
        """
        child.kill()
        return child.emptied


class OutputTests(_Tests):
    """
    What a child prints.
    """

    async def test_lines(self) -> None:
        """
        Lines come one by one, each with the descriptor it was written to.
        """
        child = self.child("echo one; echo two >&2; echo; printf three")
        await child.ended
        self.assertEqual([line for fd, line in self.output.lines if fd == 2], [b"two"])
        self.assertEqual(
            [line for fd, line in self.output.lines if fd == 1], [b"one", b"", b"three"]
        )

    async def test_live(self) -> None:
        """
        A line comes when it was printed, not only at the end.
        """
        child = self.child("echo up; exec sleep 1000")
        await self.output.line(b"up")
        self.assertTrue(isAlive(child.pid))

    async def test_longLine(self) -> None:
        """
        A line without an end doesn't grow our memory.
        """
        child = self.child("head -c 200000 /dev/zero | tr '\\0' x")
        await child.ended
        pieces = [line for _, line in self.output.lines]
        self.assertEqual(sum(map(len, pieces)), 200_000)
        self.assertEqual(max(map(len, pieces)), MAX_LINE)

    async def test_brokenOutput(self) -> None:
        """
        When lines can't be passed on that is logged, and the end is still reported.
        """

        def refuse(descriptor: int, line: bytes) -> None:
            raise ZeroDivisionError("no room")

        child = Child(
            self.reactor,
            ["sh", "-c", "echo one; exit 3"],
            os.environ,
            refuse,
            die_with_parent=False,
        )
        child.start()
        self.assertEqual(await child.ended, Ended(3, None, "one"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def lastLine(self, script: str) -> str:
        """
        @return: the last line that this script printed.
        """
        return (await self.child(script).ended).last_line

    async def test_lastLine(self) -> None:
        """
        The last line that is not blank is remembered, with an end or without.
        """
        self.assertEqual(await self.lastLine("echo one; echo two; echo; echo ' '"), "two")
        self.assertEqual(await self.lastLine("echo one; printf '  two '"), "two")
        self.assertEqual(await self.lastLine("true"), "")

    async def test_errorCounts(self) -> None:
        """
        The last words on standard error count more than those on standard
        output, which often come late from a buffer.
        """
        self.assertEqual(await self.lastLine("echo reason >&2; echo 'bye bye'"), "reason")

    async def test_lastLinePrintable(self) -> None:
        """
        What would disturb a terminal is escaped, and a long line is cut.
        """
        last_line = await self.lastLine(r"printf 'a\033[2Jb\tc\377d\342\202\254e\n'")
        self.assertEqual(last_line, r"a\x1b[2Jb c\xffd€e")
        last_line = await self.lastLine(r"printf '\033%.0s' $(seq 999)")
        self.assertEqual(last_line, (r"\x1b" * 50)[:200])


class EndTests(_Tests):
    """
    How children end.
    """

    async def test_status(self) -> None:
        """
        The exit status is reported once the process is reaped.
        """
        child = self.child("echo no such module >&2; exit 7")
        ended = await child.ended
        self.assertEqual(ended, Ended(7, None, "no such module"))
        self.assertRaises(ChildProcessError, os.waitpid, child.pid, os.WNOHANG)
        await child.emptied

    async def test_signal(self) -> None:
        """
        The signal that killed it is reported.
        """
        ended = await self.child("kill -SEGV $$").ended
        self.assertEqual(ended, Ended(None, signal.SIGSEGV))

    async def test_dyingWithParent(self) -> None:
        """
        What ends it with its parent doesn't change how it ends otherwise.
        """
        ended = await self.child("echo bad; exit 7", die_with_parent=True).ended
        self.assertEqual(ended, Ended(7, None, "bad"))

    def test_missing(self) -> None:
        """
        A program that can't be run is reported at once; there is nothing to stop then.
        """
        child = Child(self.reactor, ["no-such-thing"], os.environ, print, die_with_parent=True)
        self.assertRaises(SpawnFailed, child.start)
        child.stop(1)
        child.kill()
        self.assertEqual(child.pid, 0)

    async def test_cannotRun(self) -> None:
        """
        What the kernel won't run ends at once, with a line that says why.
        """
        program = Path(self.mktemp()).absolute()
        program.write_bytes(b"\x7fELF and nothing more")
        program.chmod(0o755)
        child = Child(self.reactor, [str(program)], os.environ, print, die_with_parent=False)
        child.start()
        ended = await child.ended
        self.assertEqual((ended.status, ended.signal), (126, None))
        self.assertEqual(ended.last_line, f"cannot run '{program}': Exec format error")
        await child.emptied
        child.stop(1)
        child.kill()

    async def test_adopted(self) -> None:
        """
        One that runs already is as good as one that was started.
        """
        launched = launch(["sh", "-c", "echo up; exec sleep 1000"], os.environ, False)
        output = Output()
        child = Child(self.reactor, [], {}, output, die_with_parent=False)
        child.adopt(launched)
        self.assertEqual(child.pid, launched.pid)
        await output.line(b"up")
        child.stop(1000)
        self.assertEqual(await child.ended, Ended(None, signal.SIGTERM, "up"))

    async def test_leftBehind(self) -> None:
        """
        What a leader leaves behind when it ends by itself is gone when that is
        told, even if it ignores SIGTERM.
        """
        for status in (0, 1):
            child = self.child(f"(trap '' TERM; while :; do sleep 1000; done) & exit {status}")
            ended = await child.ended
            self.assertEqual(ended.status, status)
            self.assertEqual(aliveInGroup(child.pid), [])

    async def test_heldPipe(self) -> None:
        """
        One that left the group and holds the output on doesn't delay the end.
        """
        child = self.child(
            "setsid sh -c 'echo $$; exec sleep 1000' & wait $!", leave_on_success=True
        )
        await self.until(lambda: self.output.lines)
        stray = int(self.output.lines[0][1])
        self.addCleanup(os.kill, stray, signal.SIGKILL)
        child.stop(100)
        await child.ended
        self.assertTrue(isAlive(stray))


class StopTests(_Tests):
    """
    Tests of L{Child.stop} and L{Child.kill}.
    """

    async def test_stop(self) -> None:
        """
        SIGTERM is enough for most.
        """
        child = self.child("echo up; exec sleep 1000")
        await self.output.line(b"up")
        child.stop(1000)
        child.stop(1000)
        self.assertEqual(await child.ended, Ended(None, signal.SIGTERM, "up"))
        child.stop(1000)

    async def test_atOnce(self) -> None:
        """
        One that was started just now can be stopped already.
        """
        for dying in (False, True):
            child = self.child("exec sleep 1000", die_with_parent=dying)
            self.assertEqual(child.pid, 0)
            child.stop(1000)
            self.assertEqual((await child.ended).signal, signal.SIGTERM)

    async def test_killAtOnce(self) -> None:
        """
        Or killed, even if it is being stopped.
        """
        for stopped in (False, True):
            child = self.child("trap '' TERM; while :; do sleep 1000; done")
            if stopped:
                child.stop(1000)
            child.kill()
            self.assertEqual((await child.ended).signal, signal.SIGKILL)

    async def test_graceful(self) -> None:
        """
        One that ends in its own way is let to.
        """
        child = self.child("trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.01; done")
        await self.output.line(b"up")
        child.stop(1000)
        self.assertEqual((await child.ended).status, 5)
        self.assertIn((1, b"bye"), self.output.lines)

    async def test_stubborn(self) -> None:
        """
        One that ignores SIGTERM is killed when the time is over.
        """
        child = self.child("trap '' TERM; echo up; while :; do sleep 1000; done")
        await self.output.line(b"up")
        child.stop(0.05)
        self.assertEqual((await child.ended).signal, signal.SIGKILL)
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_kill(self) -> None:
        """
        Killing doesn't wait, not even for one that is being stopped.
        """
        child = self.child("trap '' TERM; echo up; while :; do sleep 1000; done")
        await self.output.line(b"up")
        child.stop(1000)
        child.kill()
        self.assertEqual((await child.ended).signal, signal.SIGKILL)
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_wholeGroup(self) -> None:
        """
        A leader that ends at once doesn't take the time from the rest of the
        group: C{sh -c "cd x && server"} leads no differently than the server.
        """
        child = self.child(
            "(trap 'sleep 0.1; echo finished; exit' TERM; echo up; while :; do sleep 0.01; done)"
            " & wait"
        )
        await self.output.line(b"up")
        child.stop(1000)
        await child.ended
        self.assertIn((1, b"finished"), self.output.lines)
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_stubbornGroup(self) -> None:
        """
        The rest of the group is killed too when the time is over.
        """
        child = self.child("(trap '' TERM; echo up; while :; do sleep 1000; done) & wait")
        await self.output.line(b"up")
        child.stop(0.05)
        self.assertEqual((await child.ended).signal, signal.SIGTERM)
        self.assertEqual(aliveInGroup(child.pid), [])


class LeaveTests(_Tests):
    """
    Children that may leave something running.
    """

    def launcher(self, script: str, after: str = "exit 0") -> Child:
        """
        Start one that starts this in its group, and ends.
        """
        return self.child(f"({script}) & {after}", leave_on_success=True)

    async def test_left(self) -> None:
        """
        What one leaves that exits with 0 is left alone and listened to, until
        it ends by itself.
        """
        flag = Path(self.mktemp()).absolute()
        child = self.launcher(f"while ! [ -e {flag} ]; do sleep 0.01; done; echo still here")
        ended = await child.ended
        self.assertEqual(ended.status, 0)
        self.assertTrue(child.left)
        self.assertTrue(aliveInGroup(child.pid))
        flag.touch()
        await child.emptied
        self.assertEqual(self.output.lines, [(1, b"still here")])

    async def test_stopLeft(self) -> None:
        """
        What was left can be stopped later, politely first.
        """
        child = self.launcher("trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.01; done")
        up = self.output.line(b"up")
        await child.ended
        await up
        child.stop(1000)
        await child.emptied
        self.assertIn((1, b"bye"), self.output.lines)
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_killLeft(self) -> None:
        """
        What was left and ignores SIGTERM is killed.
        """
        child = self.launcher("trap '' TERM; echo up; while :; do sleep 1000; done")
        up = self.output.line(b"up")
        await child.ended
        await up
        child.stop(0.05)
        await child.emptied
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_nothingLeft(self) -> None:
        """
        When nothing is left, that is reported at once.
        """
        child = self.child("echo launched", leave_on_success=True)
        self.assertEqual(await child.ended, Ended(0, None, "launched"))
        await child.emptied
        child.stop(1000)

    async def test_failed(self) -> None:
        """
        One that fails leaves nothing.
        """
        child = self.launcher("sleep 1000", "exit 1")
        await child.ended
        self.assertFalse(child.left)
        self.assertEqual(aliveInGroup(child.pid), [])

    async def test_stopped(self) -> None:
        """
        One that exits with 0 because it was stopped leaves nothing.
        """
        child = self.child(
            "trap 'exit 0' TERM; (trap '' TERM; echo up; while :; do sleep 1000; done) &"
            " while :; do sleep 0.01; done",
            leave_on_success=True,
        )
        await self.output.line(b"up")
        child.stop(1000)
        await self.until(lambda: not isAlive(child.pid))
        child.kill()
        self.assertEqual((await child.ended).status, 0)
        self.assertFalse(child.left)
        self.assertEqual(aliveInGroup(child.pid), [])


class ParentTests(RealTests):
    """
    What becomes of a child when its parent is killed.
    """

    def parent(self, how: str) -> tuple[subprocess.Popen[bytes], int]:
        """
        @return: a process, and the id of its child.
        """
        parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT, how],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )
        assert parent.stdout is not None
        self.addCleanup(parent.stdout.close)
        self.addCleanup(parent.wait)
        self.addCleanup(parent.kill)
        return parent, int(parent.stdout.readline())

    async def test_dies(self) -> None:
        """
        It ends too, if that was asked for.
        """
        parent, pid = self.parent("die")
        # Until setpriv has become sleep, the kernel may not know of it.
        await self.until(lambda: self.nameOf(pid) == "sleep")
        parent.kill()
        await self.until(lambda: not isAlive(pid))

    async def test_survives(self) -> None:
        """
        It runs on otherwise.
        """
        parent, pid = self.parent("survive")
        self.addCleanup(os.kill, pid, signal.SIGKILL)
        parent.kill()
        parent.wait()
        self.assertTrue(isAlive(pid))

    def nameOf(self, pid: int) -> str:
        """
        What a process runs now.
        """
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
