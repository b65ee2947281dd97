"""
Tests of L{brxy.processes.groups}.
"""

from __future__ import annotations

import os
import select
import signal

from twisted.internet.interfaces import IReadDescriptor
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.processes.groups import ExitReader, groupMembers
from brxy.processes.launch import launch, signalGroup

_PATH = {"PATH": os.defpath}


class GroupTests(SynchronousTestCase):
    """
    Tests of L{groupMembers} and L{brxy.processes.launch.signalGroup}.
    """

    def test_empty(self) -> None:
        """
        A group that has ended has no members, and can be signalled for nothing.
        """
        launched = launch(["true"], _PATH, False)
        for descriptor in (launched.pidfd, launched.stdout, launched.stderr):
            self.addCleanup(os.close, descriptor)
        os.waitpid(launched.pid, 0)
        self.assertEqual(groupMembers(launched.pid), [])
        signalGroup(launched.pid, signal.SIGTERM)

    def test_orphans(self) -> None:
        """
        Those that a leader left behind are members, until they have ended.
        """
        launched = launch(["sh", "-c", "sleep 1000 & echo $!"], _PATH, False)
        self.addCleanup(os.close, launched.pidfd)
        self.addCleanup(os.close, launched.stderr)
        os.waitpid(launched.pid, 0)
        orphan = int(os.read(launched.stdout, 100))
        self.assertEqual(groupMembers(launched.pid), [orphan])
        signalGroup(launched.pid, signal.SIGKILL)
        # It holds the pipe until it has ended.
        with open(launched.stdout, "rb") as stdout:
            stdout.read()
        while groupMembers(launched.pid):
            select.select([], [], [], 0.001)

    def test_anothersGroup(self) -> None:
        """
        A group whose leader lives is not the one whose leader was reaped.
        """
        launched = launch(["sleep", "1000"], _PATH, False)
        self.addCleanup(os.waitpid, launched.pid, 0)
        self.addCleanup(signalGroup, launched.pid, signal.SIGKILL)
        for descriptor in (launched.pidfd, launched.stdout, launched.stderr):
            self.addCleanup(os.close, descriptor)
        self.assertEqual(groupMembers(launched.pid), [])


class _Reactor:
    """
    Knows the readers.
    """

    def __init__(self) -> None:
        self.removed: list[ExitReader] = []
        self.removeReader = self.removed.append


class ExitReaderTests(SynchronousTestCase):
    """
    Tests of L{ExitReader}.
    """

    def setUp(self) -> None:
        self.reactor = _Reactor()
        self.codes: list[int] = []

    def watch(self, *argv: str) -> ExitReader:
        """
        Launch a process.
        """
        launched = launch(argv, _PATH, False)
        self.pid = launched.pid
        self.addCleanup(os.close, launched.stdout)
        self.addCleanup(os.close, launched.stderr)
        return ExitReader(self.reactor, launched.pid, launched.pidfd, self.codes.append)

    def test_interface(self) -> None:
        """
        It is an L{IReadDescriptor}.
        """
        reader = self.watch("true")
        self.assertTrue(verifyObject(IReadDescriptor, reader))
        select.select([reader], [], [])
        reader.doRead()

    def test_ends(self) -> None:
        """
        It is readable when the process has ended, reaps it, and closes.
        """
        reader = self.watch("sh", "-c", "exit 3")
        descriptor = reader.fileno()
        select.select([reader], [], [])
        reader.doRead()
        self.assertEqual(self.codes, [3])
        self.assertEqual(self.reactor.removed, [reader])
        self.assertRaises(ChildProcessError, os.waitpid, self.pid, 0)
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_tooEarly(self) -> None:
        """
        Read while the process runs, it says nothing; a signal is negative.
        """
        reader = self.watch("sleep", "1000")
        reader.doRead()
        self.assertEqual(self.codes, [])
        signalGroup(self.pid, signal.SIGKILL)
        select.select([reader], [], [])
        reader.doRead()
        self.assertEqual(self.codes, [-signal.SIGKILL])

    def test_reapedElsewhere(self) -> None:
        """
        When other code has reaped the process, its end is reported all the same.
        """
        reader = self.watch("true")
        os.waitpid(self.pid, 0)
        reader.doRead()
        self.assertEqual(self.codes, [255])
