"""
Tests of what C{ssh:} runs on the other side, by the shells of this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.ssh.remote import HOLD, MADE, RUN, instructions, readStatus
from brxy.test.support.loopback.leftovers import aliveInGroup

__all__ = ["HoldTests", "InstructionsTests", "NoiseTests", "RunTests"]

#: Every kind of sh that is here.
_SHELLS = [name for name in ("dash", "bash", "busybox sh") if shutil.which(name.split()[0])]

# What a shell might do something with.
_AWKWARD = ("a b", "", "-n", "é\x81", "x\n\ny\n", "\\n \\\\", "$(exit)", "'\"`!*", "  ", ".", "=")


class _Tests(SynchronousTestCase):
    """
    Runs scripts as sshd would: as the leader of a session of its own.
    """

    def run_(self, script: str, shell: str) -> subprocess.Popen[bytes]:
        """
        Run a script by a shell.
        """
        process = subprocess.Popen(
            ["sh", "-c", script.replace("exec sh", f"exec {shell}", 1)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.addCleanup(self._end, process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        for pid in aliveInGroup(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def ended(self, process: subprocess.Popen[bytes]) -> None:
        """
        Wait until it has ended, and all that it started.

        What leads them must do so to the end: a session is over with it.
        """
        self.assertEqual(process.wait(50), -signal.SIGKILL)
        # SIGKILL takes its time.
        deadline = time.monotonic() + 10
        while aliveInGroup(process.pid):
            self.assertTrue(time.monotonic() < deadline, "something was left")
            time.sleep(0.005)


class InstructionsTests(SynchronousTestCase):
    """
    Tests of L{instructions} and L{readStatus}.
    """

    def test_lines(self) -> None:
        """
        One line each, of printable ASCII.
        """
        told = instructions({"A": "é", "B": "1\n2"}, ["x", "\\"], 2.5)
        lines = [b"\\", b"2.5", b"=A=\\0303\\0251", b"=B=1\\00122", b"+x", b"+\\0134", b".", b""]
        self.assertEqual(told, b"\n".join(lines))

    def test_status(self) -> None:
        """
        Only a whole line of its own is a status.
        """
        self.assertEqual(readStatus(b"brxy-ssh: exit 3"), 3)
        for line in (b"exit 3", b" brxy-ssh: exit 3", b"brxy-ssh: exit ", b"brxy-ssh: exit 3 x"):
            self.assertIsNone(readStatus(line))

    def test_quoting(self) -> None:
        """
        In the scripts is nothing that a shell, whichever it is, does anything
        with between apostrophes.
        """
        for script in (HOLD, RUN):
            self.assertEqual(script.count("'"), 2)
            for character in "\\\n":
                self.assertNotIn(character, script)
            self.assertEqual(script.count("!"), script.count("! "))


class RunTests(_Tests):
    """
    Tests of L{RUN}.
    """

    def start(self, shell: str, *command: str, patience: float = 10) -> subprocess.Popen[bytes]:
        """
        Run a command.
        """
        process = self.run_(RUN, shell)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(instructions({"ROUTE": "a_b.x-1.example"}, command, patience))
        process.stdin.flush()
        # See NoiseTests.
        self.assertEqual(process.stdout.readline(), b"\n")
        return process

    def outcome(self, shell: str, script: str) -> list[bytes]:
        """
        @return: the lines that come of a script.
        """
        process = self.start(shell, "sh", "-c", script)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
        self.ended(process)
        return lines

    def test_exact(self) -> None:
        """
        Arguments and environment arrive as they are.
        """
        script = "import os, sys; print(ascii([os.environ['ROUTE'], *sys.argv[1:]]))"
        # What is no UTF-8 on the way is none over there.
        expected = ascii(["a_b.x-1.example", *_AWKWARD])
        for shell in _SHELLS:
            process = self.start(shell, sys.executable, "-Xutf8", "-c", script, *_AWKWARD)
            assert process.stdout is not None
            self.assertEqual(process.stdout.read().decode().splitlines()[0], expected, shell)

    def test_status(self) -> None:
        """
        The exit status comes as a line of its own, and what the command left
        running is ended.
        """
        for shell in _SHELLS:
            for script, last in (
                ("printf unended; exit 3", b"brxy-ssh: exit 3"),
                ("sleep 1000 & exit 0", b"brxy-ssh: exit 0"),
                ("kill -9 $$", b"brxy-ssh: exit 137"),
                ("exec no-such-thing", b"brxy-ssh: exit 127"),
            ):
                self.assertEqual(self.outcome(shell, script)[-1], last, (shell, script))

    def test_inputEnds(self) -> None:
        """
        When the input ends the command gets SIGTERM, and may take its time.
        """
        for shell in _SHELLS:
            trap = "trap 'sleep 0.1; exit 7' TERM; echo up; while :; do sleep 0.02; done"
            self.assertEqual(self.ending(shell, trap), [b"", b"brxy-ssh: exit 7"], shell)

    def test_endsAtOnce(self) -> None:
        """
        It does not matter if that comes before the command.
        """
        for shell in _SHELLS:
            process = self.start(shell, "sleep", "1000", patience=1000)
            assert process.stdout is not None and process.stdin is not None
            process.stdin.close()
            self.assertEqual(process.stdout.read(), b"\nbrxy-ssh: exit 143\n", shell)
            self.ended(process)

    def test_stubborn(self) -> None:
        """
        One that does not heed it is killed.
        """
        for shell in _SHELLS:
            trap = "trap '' TERM; echo up; while :; do sleep 0.02; done"
            self.assertEqual(self.ending(shell, trap, 0.2), [b"brxy-ssh: exit 137"], shell)

    def ending(self, shell: str, script: str, patience: float = 10) -> list[bytes]:
        """
        Run a script, and end the input after its first line.

        @return: the other lines.
        """
        process = self.start(shell, "sh", "-c", script, patience=patience)
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        process.stdin.close()
        lines = process.stdout.read().splitlines()
        self.ended(process)
        return lines

    def test_noReader(self) -> None:
        """
        Nor does it need a reader of its output.
        """
        for shell in _SHELLS:
            process = self.start(shell, "sh", "-c", "echo up; exec sleep 1000", patience=100)
            assert process.stdout is not None and process.stdin is not None
            process.stdout.readline()
            process.stdout.close()
            process.stdin.close()
            self.ended(process)

    def test_cutShort(self) -> None:
        """
        Half a command is not run.
        """
        for shell in _SHELLS:
            process = self.run_(RUN, shell)
            told = instructions({}, ["echo", "run"], 1)
            output, _ = process.communicate(told[:-2])
            self.assertEqual((output, process.returncode), (b"\n", 125), shell)


class NoiseTests(_Tests):
    """
    Tests of both scripts behind a shell that prints first.
    """

    def test_lines(self) -> None:
        """
        What the scripts print has lines of its own.
        """
        for shell in _SHELLS:
            folder = Path(self.mktemp()).absolute()
            process = self.run_(f"printf noise; {HOLD}", shell)
            output, _ = process.communicate(f"{folder}\n".encode())
            self.assertEqual(output.splitlines(), [b"noise", MADE], shell)
            process = self.run_(f"printf noise; {RUN}", shell)
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(instructions({}, ["echo", "told"], 10))
            process.stdin.flush()
            lines = process.stdout.read().splitlines()
            self.assertEqual(lines, [b"noise", b"told", b"", b"brxy-ssh: exit 0"], shell)


class HoldTests(_Tests):
    """
    Tests of L{HOLD}.
    """

    def test_folder(self) -> None:
        """
        The folder is its user's alone, and is there as long as the input.
        """
        parent = Path(self.mktemp())
        parent.mkdir()
        for shell in _SHELLS:
            folder = (parent / shell.split()[0]).absolute()
            process = self.run_(HOLD, shell)
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"\n")
            self.assertEqual(process.stdout.readline().rstrip(), MADE)
            self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
            (folder / "socket").touch()
            process.communicate()
            self.assertFalse(folder.exists())

    def test_taken(self) -> None:
        """
        A folder that exists already is not taken over.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        process = self.run_(HOLD, "sh")
        output, _ = process.communicate(f"{folder}\n".encode())
        self.assertEqual(output, b"\n")
        self.assertTrue(folder.exists())
