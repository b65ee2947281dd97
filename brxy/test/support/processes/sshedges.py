"""
Helpers for tests of C{ssh:} with real edges.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from brxy.test.support.processes.programs import PYTHON, TWISTD, Answer, Program
from brxy.test.support.processes.sshd import SshTests

__all__ = ["SshEdgeTests", "words"]


def words(pid: int, name: str) -> list[bytes]:
    """
    @return: the words in a file of proc(5); nothing for a process that is
        gone.
    """
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")
    except OSError:
        return [b""]


class SshEdgeTests(SshTests):
    """
    Base of tests with an edge whose instances are remote nodes.
    """

    async def launch(self, *arguments: str, **options: str) -> tuple[Program, str]:
        """
        Start sshd and an edge.

        @param options: of C{ssh:}.
        @return: the edge, and where its clients connect.
        """
        self.sshd.start()
        edge = self.edge("--spawn", self.node(**options), *arguments)
        return edge, await self.address(edge)

    def start(self, *argv: str, **environ: str) -> Program:
        """
        Start a command whose temporary files are removed after the test.
        """
        return super().start(*argv, TMPDIR=str(self.folder), **environ)

    def node(self, **options: str) -> str:
        """
        @param options: of C{ssh:}.
        @return: a C{--spawn} for nodes with L{GATE}.
        """
        self.gate()
        # sshd starts in its user's own folder.
        command = ("env", "-C", str(self.folder), TWISTD, "-n", "brxy-node", "--")
        return self.spec(*command, PYTHON, "gate.py", **options)

    def ask(self, address: str, path: str = "/env", host: str = "localhost") -> Deferred[Answer]:
        """
        Make a request that an instance answers at once.
        """
        return self.get(address, path, host)

    async def pause(self, seconds: float) -> None:
        """
        Wait.
        """
        await deferLater(self.reactor, seconds)

    def ssh(self, edge: Program, *, master: bool) -> list[int]:
        """
        @return: the ssh clients that run for an edge: those that hold a
            connection, or those that run a command through one.
        """
        found = []
        for pid in self.running():
            argv = words(pid, "cmdline")
            if os.path.basename(argv[0]) == b"ssh" and (b"-M" in argv) == master:
                found.append(pid)
        return found

    def theirs(self, edge: Program) -> list[int]:
        """
        @return: the remote processes.
        """
        ours = {edge.pid, *self.ssh(edge, master=True), *self.ssh(edge, master=False)}
        return [pid for pid in self.running() if pid not in ours]

    def way(self, answer: Answer) -> Path:
        """
        @return: the remote folder, from the environment of a node.
        """
        for pid in self.running():
            for word in words(pid, "environ"):
                if word.startswith(b"BRXY_EDGE=unix:"):
                    return Path(word.decode()[len("BRXY_EDGE=unix:") :]).parent
        self.fail("no node runs")
