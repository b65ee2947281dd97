"""
Tests of L{brxy.processes.launcher}.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from brxy.errors import SpawnFailed
from brxy.processes import launcher
from brxy.processes.launch import Launch, Launched
from brxy.processes.launcher import Launcher
from brxy.test.support.loopback.leftovers import RealTests


class _Launch(Launch):
    """
    Says which thread performs it.

    @ivar threads: of all of them.
    """

    def __init__(self, threads: list[int], argv: list[str], result: Exception | None = None):
        super().__init__(argv, os.environ, False)
        self._threads = threads
        self._result = result

    def perform(self) -> Launched:
        """
        Start the process, or fail.
        """
        self._threads.append(threading.get_ident())
        if self._result is not None:
            raise self._result
        return super().perform()


class LauncherTests(RealTests):
    """
    Tests of L{Launcher}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.launcher = Launcher()
        self.threads: list[int] = []

    def start(self, *argv: str, **kw: Any) -> Any:
        """
        Start something.
        """
        return self.launcher.start(self.reactor, _Launch(self.threads, list(argv), **kw))

    def reap(self, launched: Launched) -> int:
        """
        @return: how a process ended.
        """
        for descriptor in (launched.pidfd, launched.stdout, launched.stderr):
            os.close(descriptor)
        return os.waitstatus_to_exitcode(os.waitpid(launched.pid, 0)[1])

    async def test_started(self) -> None:
        """
        Processes are started one after the other, all by the same thread,
        which isn't the reactor's.
        """
        started = [self.start("sh", "-c", f"exit {status}") for status in range(5)]
        self.assertEqual([self.reap(await each) for each in started], [0, 1, 2, 3, 4])
        self.assertEqual(len(set(self.threads)), 1)
        self.assertNotIn(threading.get_ident(), self.threads)

    async def test_noThread(self) -> None:
        """
        When there can be no more threads a start fails, and a later one may succeed.
        """

        def refuse(*arguments: object) -> None:
            raise RuntimeError("can't start new thread")

        with self.subTest("exhausted"):
            patch = self.patch(launcher, "start_new_thread", refuse)
            error = self.assertRaises(SpawnFailed, self.start, "true")
            self.assertEqual(str(error), "can't start new thread")
            patch.restore()
        self.assertEqual(self.reap(await self.start("sh", "-c", "exit 4")), 4)

    async def test_failed(self) -> None:
        """
        One that can't be started fails, whatever the reason, and others can.
        """
        failing = [
            self.start("true", result=error) for error in (SpawnFailed("x"), ZeroDivisionError())
        ]
        started = self.start("true")
        for each, error in zip(failing, (SpawnFailed, ZeroDivisionError), strict=True):
            with self.assertRaises(error):
                await each
        self.assertEqual(self.reap(await started), 0)

    async def test_umask(self) -> None:
        """
        What is started can have another umask than this process.
        """
        ours = os.umask(0o077)
        self.addCleanup(os.umask, ours)
        path = self.mktemp()
        self.launcher.umask = 0o027
        for expected in ("0027\n", "0002\n"):
            self.assertEqual(self.reap(await self.start("sh", "-c", f"umask >{path}")), 0)
            self.assertEqual(Path(path).read_text(), expected)
            self.launcher.umask = 0o002
        self.assertEqual(os.umask(0o077), 0o077)
