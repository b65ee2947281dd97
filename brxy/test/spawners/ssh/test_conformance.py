"""
C{ssh:} passes the suite for spawners.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from brxy.spawners.ssh import spawner as ssh
from brxy.spawners.testing import SpawnerTests
from brxy.test.support.processes.programs import TWISTD
from brxy.test.support.processes.sshd import MISSING, Sshd

__all__ = ["SshTests"]


class SshTests(SpawnerTests, TestCase):
    """
    It does, with an sshd on this machine.
    """

    factory = ssh.factory

    if MISSING is not None:
        skip = MISSING

    def setUp(self) -> None:
        """
        Start the sshd; what runs there bears the mark of the test.
        """
        super().setUp()
        self.sshd = Sshd(self.folder, self.mark)
        self.sshd.start()
        self.addCleanup(self.sshd.kill)

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"{self._host()} -- {TWISTD} -n brxy-node -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"{self._host()} -- no-such-program"

    def _host(self) -> str:
        return f"ssh: host=web1 config={self.sshd.config}"
