"""
Tests of the log files of real programs, and of other programs that rotate them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from brxy.test.support.processes.programs import ANYWHERE, TWISTD, Program, ProgramTests

__all__ = ["LogFileTests"]


class LogFileTests(ProgramTests):
    """
    Tests of C{--logfile} and SIGUSR1.
    """

    def log(self) -> str:
        """
        What is in the edge's log file.
        """
        path = self.folder / "edge.log"
        return path.read_text() if path.exists() else ""

    async def _edge(self) -> Program:
        edge = self.start(
            *(TWISTD, "-n", "--logfile=edge.log", "brxy-edge", *self.on),
            *("--port", ANYWHERE, "--node-port", ANYWHERE),
        )
        await self.until(lambda: "listening on http://" in self.log())
        return edge

    async def _reload(self, edge: Program) -> None:
        """
        Have the edge log a line, and find it in a file that has this line only.
        """
        edge.signal(signal.SIGHUP)
        await self.until(lambda: "reading certificates and tokens again" in self.log())
        self.assertNotIn("listening on", self.log())

    async def test_signal(self) -> None:
        """
        SIGUSR1 begins a new file.
        """
        edge = await self._edge()
        edge.signal(signal.SIGUSR1)
        await self.until(lambda: (self.folder / "edge.log.1").exists())
        await self._reload(edge)
        self.assertIn("listening on", (self.folder / "edge.log.1").read_text())

    async def test_signalAfterRename(self) -> None:
        """
        After another program has renamed the file, SIGUSR1 opens a new one of the right name.
        """
        edge = await self._edge()
        (self.folder / "edge.log").rename(self.folder / "edge.log-20261130")
        edge.signal(signal.SIGUSR1)
        await self.until(lambda: (self.folder / "edge.log").exists())
        await self._reload(edge)
        self.assertFalse((self.folder / "edge.log.1").exists())

    async def test_logrotate(self) -> None:
        """
        Debian's logrotate can rename the file, without a signal, or copy and truncate it.
        """
        program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise SkipTest("needs logrotate (apt install logrotate)")
        edge = await self._edge()
        for how in "create", "copytruncate":
            config = self.folder / f"{how}.conf"
            user = "su root root" if os.getuid() == 0 else ""
            config.write_text(f"{self.folder}/edge.log {{\n {how}\n rotate 2\n {user}\n}}\n")
            config.chmod(0o600)
            ran = subprocess.run(
                [program, "--force", "--state", self.folder / "state", config],
                capture_output=True,
                text=True,
            )
            self.assertEqual((ran.returncode, ran.stderr), (0, ""))
            self.assertEqual(self.log(), "")
            await self._reload(edge)
            self.assertNotIn("\0", self.log())
        rotated = sorted(Path(each).name for each in self.folder.glob("edge.log.*"))
        self.assertEqual(rotated, ["edge.log.1", "edge.log.2"])

    async def test_standardOutput(self) -> None:
        """
        With the log on standard output SIGUSR1 changes nothing.
        """
        edge = self.edge()
        node = self.start(
            *(TWISTD, "-n", "brxy-node", "--edge", f"unix:{self.folder}/n", "--", "sleep", "100")
        )
        await self.said(edge, "listening on http://")
        await self.said(node, "starting up")
        for program, number in ((edge, signal.SIGHUP), (node, signal.SIGHUP)):
            program.signal(signal.SIGUSR1)
            program.signal(number)
        await self.said(edge, "reading certificates and tokens again")
        await self.said(node, "cannot request newer instances")

    async def test_cannotOpen(self) -> None:
        """
        A log file that can't be opened is named in one line.
        """
        edge = self.start(TWISTD, "-n", "--logfile=none/edge.log", "brxy-edge", *self.on)
        self.assertEqual(await self.ended(edge), 1)
        self.assertRegex(edge.err, r"^brxy-edge: --logfile \S*none/edge\.log: No such file .*\n$")
