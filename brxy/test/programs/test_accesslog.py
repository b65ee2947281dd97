"""
Tests of the files that a real edge writes besides its log.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from brxy.test.support.processes.programs import TWISTD, Program, ProgramTests

__all__ = ["AccessLogTests"]

_APP = """
import http.server, sys
print("a line of the app", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class AccessLogTests(ProgramTests):
    """
    Tests of C{--access-log} and C{--app-log-dir}.
    """

    async def _edge(self, *options: str) -> Program:
        edge = self.edge("--access-log", "access.log", "--route", "a", *options)
        await self.said(edge, "listening on http://")
        return edge

    async def _lines(self, number: int) -> list[dict[str, Any]]:
        """
        Wait until the file has a number of lines, and return them.
        """
        path = self.folder / "access.log"
        await self.until(lambda: path.exists() and path.read_text().count("\n") == number)
        return [json.loads(line) for line in path.read_text().splitlines()]

    async def test_signal(self) -> None:
        """
        Each request has a line, and SIGUSR1 begins a new file.
        """
        edge = await self._edge()
        address = await self.address(edge)
        await self.get(address)
        await self.get(address)
        lines = await self._lines(2)
        self.assertEqual([each["status"] for each in lines], [404, 404])
        self.assertEqual([each["error"] for each in lines], ["no such app"] * 2)
        edge.signal(signal.SIGUSR1)
        await self.until(lambda: (self.folder / "access.log.1").exists())
        await self.get(address)
        await self._lines(1)
        # What has not been written yet is, at the end.
        await self.get(address)
        await self.stopped(edge)
        await self._lines(2)

    async def test_logrotate(self) -> None:
        """
        Debian's logrotate can rename the file, without a signal.
        """
        program = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise SkipTest("needs logrotate (apt install logrotate)")
        edge = await self._edge()
        address = await self.address(edge)
        await self.get(address)
        await self._lines(1)
        config = self.folder / "rotate.conf"
        user = "su root root" if os.getuid() == 0 else ""
        config.write_text(f"{self.folder}/access.log {{\n create\n rotate 2\n {user}\n}}\n")
        config.chmod(0o600)
        ran = subprocess.run(
            [program, "--force", "--state", self.folder / "state", config],
            capture_output=True,
            text=True,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        await self.get(address)
        await self._lines(1)
        rotated = [Path(each).name for each in self.folder.glob("access.log.*")]
        self.assertEqual(rotated, ["access.log.1"])

    async def test_standardOutput(self) -> None:
        """
        The access log can be on standard output, between the lines of the log.
        """
        edge = self.edge("--access-log", "-", "--log-format", "json", "--route", "a")
        found = await self.said(edge, r'"where":"http://127\.0\.0\.1:(\d+)"')
        await self.get(f"tcp:127.0.0.1:{found[1]}")
        await self.said(edge, r'(?m)^\{"ts":"[^"]+Z","route":"",.*"status":404,.*\}$')
        for line in edge.out.splitlines():
            self.assertIn("ts", json.loads(line))

    async def test_appLogs(self) -> None:
        """
        What an app prints is in the file of its route, and not in the log.
        """
        (self.folder / "app.py").write_text(_APP)
        edge = self.edge("--app-log-dir", "apps", "--spawn", "app: -- python app.py {port}")
        await self.get(await self.address(edge))
        path = self.folder / "apps" / "default.log"
        await self.until(lambda: path.exists() and "a line of the app" in path.read_text())
        self.assertRegex(path.read_text(), r"^\d{4}-\S+ info [0-9a-f]{16}\| a line of the app\n$")
        await self.stopped(edge)
        self.assertIn(": ready after", edge.out)
        self.assertNotIn("a line of the app", edge.out)

    async def test_cannotOpen(self) -> None:
        """
        A file that can't be opened is named in one line.
        """
        edge = self.start(
            *(TWISTD, "-n", "brxy-edge", *self.on, "--access-log", "none/access.log")
        )
        self.assertEqual(await self.ended(edge), 1)
        self.assertRegex(
            edge.err, r"^brxy-edge: --access-log none/access\.log: No such file .*\n$"
        )
