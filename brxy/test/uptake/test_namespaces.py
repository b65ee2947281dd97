"""
Tests for L{brxy.uptake.namespaces}, with real namespaces.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import Unseen
from brxy.test.support.processes.netlinks import MISSING, Elsewhere
from brxy.test.uptake.test_sockdiag import until
from brxy.uptake.namespaces import diagIn
from brxy.uptake.sockdiag import Queue, Seen

# An app with a connection of its own: which it accepts, and reads from, when a line comes in.
_APP = """
import socket, sys
listening = socket.create_server(("0.0.0.0", 8000))
print("listening", flush=True)
sys.stdin.readline() or sys.exit()
accepted, _ = listening.accept()
print("accepted", flush=True)
sys.stdin.readline() or sys.exit()
accepted.recv(1)
print("read", flush=True)
sys.stdin.readline() or sys.exit()
"""


class OursTests(SynchronousTestCase):
    """
    Tests of processes in our own namespace, and of none.
    """

    def test_ours(self) -> None:
        """
        The sockets of a process in our own namespace are seen.
        """
        with socket.create_server(("127.0.0.1", 0)) as listening:
            diag = diagIn(os.getpid(), "127.0.0.1")
            self.addCleanup(diag.close)
            self.assertEqual(diag.queue(listening.getsockname()), Queue(0, 1))

    def test_noProcess(self) -> None:
        """
        A process that is gone has no namespace.
        """
        process = subprocess.Popen(["true"])
        process.wait()
        error = self.assertRaises(Unseen, diagIn, process.pid, "127.0.0.1")
        self.assertEqual(str(error), f"there is no process {process.pid} on this machine")

    def test_otherAddress(self) -> None:
        """
        A process whose namespace has not the address is not the one that is meant.
        """
        error = self.assertRaises(Unseen, diagIn, os.getpid(), "192.0.2.1")
        self.assertRegex(str(error), r"^192\.0\.2\.1 is not an address in the network namespace ")


class ElsewhereTests(SynchronousTestCase):
    """
    Tests of a process in another namespace.
    """

    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        self.elsewhere = Elsewhere(13)
        self.addCleanup(self.elsewhere.end)
        self.app = subprocess.Popen(
            [*self.elsewhere.within(), sys.executable, "-c", _APP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end)
        self.line("listening")

    def end(self) -> None:
        self.app.kill()
        self.app.communicate()

    def line(self, expected: str) -> None:
        assert self.app.stdout is not None
        self.assertEqual(self.app.stdout.readline(), expected + "\n")

    def go(self, expected: str) -> None:
        """
        Have the app take its next step.
        """
        assert self.app.stdin is not None
        self.app.stdin.write("\n")
        self.app.stdin.flush()
        self.line(expected)

    def pid(self) -> int:
        """
        A process in the namespace.  C{nsenter} is one: only its child is in the other
        process namespace.
        """
        return self.app.pid

    def test_seen(self) -> None:
        """
        Each step of an app in another namespace is seen, and our thread stays in its own.
        """
        before = os.readlink("/proc/thread-self/ns/net")
        threads = threading.active_count()
        diag = diagIn(self.pid(), self.elsewhere.address)
        self.addCleanup(diag.close)
        self.assertEqual(os.readlink("/proc/thread-self/ns/net"), before)
        self.assertEqual(threading.active_count(), threads)
        app = self.elsewhere.address, 8000
        with socket.create_connection(app) as client:
            client.send(b"P")
            ours = client.getsockname()
            until(lambda: diag.look(app, ours) == Seen(False, 1), "the byte arrives")
            self.assertEqual(diag.queue(app), Queue(1, 1))
            self.go("accepted")
            self.assertEqual(diag.look(app, ours), Seen(True, 1))
            self.go("read")
            self.assertEqual(diag.look(app, ours), Seen(True, 0))

    def test_afterwards(self) -> None:
        """
        When the processes there have ended, nothing is known any more.
        """
        diag = diagIn(self.pid(), self.elsewhere.address)
        self.addCleanup(diag.close)
        app = self.elsewhere.address, 8000
        self.assertEqual(diag.queue(app), Queue(0, 1))
        self.end()
        until(lambda: diag.queue(app) is None, "the app ends")

    def test_otherAddress(self) -> None:
        """
        An address of our own namespace is not one of the other.
        """
        error = self.assertRaises(Unseen, diagIn, self.pid(), self.elsewhere.here)
        self.assertIn(self.elsewhere.here, str(error))

    def test_notAllowed(self) -> None:
        """
        Another user can't enter it.
        """
        script = (
            "from brxy.uptake.namespaces import diagIn\n"
            "from brxy.errors import Unseen\n"
            f"try: diagIn({self.pid()}, {self.elsewhere.address!r})\n"
            "except Unseen as error: print(error)\n"
        )
        for options, reason in (
            (["--reuid", "65534", "--clear-groups"], "Permission denied"),
            (["--bounding-set", "-sys_admin"], "Operation not permitted"),
        ):
            run = subprocess.run(
                ["setpriv", *options, sys.executable, "-c", script],
                capture_output=True,
                text=True,
                check=True,
            )
            expected = f"the network namespace of process {self.pid()}: {reason}\n"
            self.assertEqual((run.stdout, run.stderr), (expected, ""))
