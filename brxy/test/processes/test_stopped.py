"""
Tests of L{brxy.processes.stopped}.
"""

from __future__ import annotations

import os
import signal
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from brxy.processes.stopped import isStopped


class StoppedTests(SynchronousTestCase):
    """
    Tests of L{isStopped}.
    """

    def test_signal(self) -> None:
        """
        A process is stopped from SIGSTOP to SIGCONT.
        """
        process = subprocess.Popen(["sleep", "60"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertFalse(isStopped(process.pid))
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        self.assertTrue(isStopped(process.pid))
        process.send_signal(signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED)
        self.assertFalse(isStopped(process.pid))

    def test_gone(self) -> None:
        """
        A process that is gone is not stopped.
        """
        process = subprocess.Popen(["true"])
        process.wait()
        self.assertFalse(isStopped(process.pid))
