"""
Tests of L{brxy.processes.launch}.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.processes.launch import launch

_PATH = {"PATH": os.defpath}

# What is open, but for the descriptor that the listing itself needs.
_LIST_DESCRIPTORS = """
import os
for name in sorted(os.listdir("/proc/self/fd")):
    try:
        print(name, os.readlink("/proc/self/fd/" + name).partition(":")[0])
    except FileNotFoundError:
        pass
"""

# Launches its arguments, and passes on what they print.
_LAUNCH = """
import os, sys
from brxy.processes.launch import launch
launched = launch(sys.argv[1:], os.environ, False)
os.waitpid(launched.pid, 0)
sys.stdout.buffer.write(os.read(launched.stdout, 65536))
"""


def run(
    *argv: str, environment: Mapping[str, str] = _PATH, die_with_parent: bool = False
) -> tuple[int, bytes, bytes]:
    """
    @return: how a process ended, and what it wrote to its two outputs.
    """
    launched = launch(argv, environment, die_with_parent)
    with open(launched.stdout, "rb") as stdout, open(launched.stderr, "rb") as stderr:
        printed = stdout.read(), stderr.read()
    os.close(launched.pidfd)
    _, status = os.waitpid(launched.pid, 0)
    return os.waitstatus_to_exitcode(status), *printed


def openDescriptors() -> int:
    """
    How many descriptors this process has open.
    """
    return len(os.listdir("/proc/self/fd"))


class LaunchTests(SynchronousTestCase):
    """
    Tests of L{launch}.
    """

    def test_aboveTheLimit(self) -> None:
        """
        A descriptor that this process inherited, and that is above its limit of descriptors,
        is not inherited further, and prevents no start.
        """
        script = 'exec 100</dev/zero; ulimit -S -n 50; exec "$@"'
        command = ["bash", "-c", script, "bash", sys.executable, "-c", _LAUNCH]
        command += [sys.executable, "-c", _LIST_DESCRIPTORS]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        self.assertNotIn("/dev/zero", done.stdout)
        self.assertIn("0 /dev/null\n", done.stdout)

    def assertFails(self, expected: str, *argv: str, **kw: Any) -> None:
        """
        It can't be launched, and no descriptor is lost by that.
        """
        before = openDescriptors()
        error = self.assertRaises(
            SpawnFailed, launch, argv, kw.get("environment", _PATH), kw.get("dying", False)
        )
        self.assertEqual(str(error), expected)
        self.assertEqual(openDescriptors(), before)

    def test_outputs(self) -> None:
        """
        Output and error come apart, and so does the status.
        """
        self.assertEqual(
            run("sh", "-c", "echo out; echo err >&2; exit 7"), (7, b"out\n", b"err\n")
        )

    def test_noInput(self) -> None:
        """
        Input is at its end from the beginning.
        """
        self.assertEqual(run("cat"), (0, b"", b""))

    def test_environment(self) -> None:
        """
        The environment is what was given and nothing else, even such names as
        shells don't keep.
        """
        environment = {"foo.bar": "1", "PATH": os.defpath, "ROUTE": "a b"}
        for dying in (False, True):
            status, out, _ = run("env", environment=environment, die_with_parent=dying)
            expected = sorted(f"{name}={value}" for name, value in environment.items())
            self.assertEqual((status, sorted(out.decode().splitlines())), (0, expected))

    def test_arguments(self) -> None:
        """
        Arguments arrive as they are: no shell sees them.
        """
        for dying in (False, True):
            _, out, _ = run("printf", "%s\n", "--", "$(id) *", "", die_with_parent=dying)
            self.assertEqual(out, b"--\n$(id) *\n\n")

    def test_leader(self) -> None:
        """
        It leads its own session and its own group.
        """
        for dying in (False, True):
            _, out, _ = run(
                "sh", "-c", "echo $$; cut -d' ' -f5,6 /proc/$$/stat", die_with_parent=dying
            )
            pid, group, session = out.split()
            self.assertEqual((group, session), (pid, pid))

    def test_signals(self) -> None:
        """
        Signals that Python ignores, or that this process inherited as ignored, kill it as usual.
        """
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        for name, number in (("PIPE", signal.SIGPIPE), ("TERM", signal.SIGTERM)):
            self.assertEqual(run("sh", "-c", f"kill -{name} $$; echo survived")[0], -number)

    def test_descriptors(self) -> None:
        """
        Nothing is open in it but its input and outputs, not even what its
        parent inherited and would pass on.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        self.addCleanup(os.close, writing)
        launcher = [sys.executable, "-c", _LAUNCH, sys.executable, "-c", _LIST_DESCRIPTORS]
        out = subprocess.check_output(
            launcher,
            pass_fds=(reading, writing),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=60,
        )
        self.assertEqual(out.splitlines(), [b"0 /dev/null", b"1 pipe", b"2 pipe"])

    def test_missing(self) -> None:
        """
        What is not there can't be run, and the message says so in our words.
        """
        for dying in (False, True):
            self.assertFails(
                "cannot run 'no-such-thing': no such executable on PATH",
                "no-such-thing",
                dying=dying,
            )
        self.assertFails("cannot run './no-such-thing': no such file", "./no-such-thing")
        self.assertFails("cannot run '': no such executable on PATH", "")
        self.assertFails("cannot run an empty command")

    def test_givenPath(self) -> None:
        """
        The PATH that counts is that of the process's own environment.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        tool = folder / "a-tool-of-its-own"
        tool.write_text("#!/bin/sh\necho found\n")
        tool.chmod(0o755)
        environment = {"PATH": f"{folder}:{os.defpath}"}
        self.assertEqual(run(tool.name, environment=environment), (0, b"found\n", b""))
        self.assertFails(f"cannot run '{tool.name}': no such executable on PATH", tool.name)

    def test_notExecutable(self) -> None:
        """
        Neither a folder nor a file without the right can be run.
        """
        file = Path(self.mktemp())
        file.write_text("text")
        for path in (file.absolute(), file.absolute().parent):
            self.assertFails(f"cannot run '{path}': it is not an executable file", str(path))

    def test_badArguments(self) -> None:
        """
        What no process can be given is a failure to start it.
        """
        self.assertFails("cannot run 'true': embedded null byte", "true", "a\0b")
        self.assertFails(
            "cannot run 'true': illegal environment variable name",
            "true",
            environment={**_PATH, "A=B": "C"},
        )

    def test_unwatchable(self) -> None:
        """
        A process whose end could not be noticed is not left running.
        """
        pids: list[int] = []

        def refuse(pid: int) -> int:
            pids.append(pid)
            raise OSError(24, "Too many open files")

        self.patch(os, "pidfd_open", refuse)
        self.assertFails("cannot run 'sleep': Too many open files", "sleep", "1000")
        self.assertRaises(ProcessLookupError, os.kill, pids[0], 0)
