"""
Tests of edges and nodes of different versions.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

import brxy
from brxy.test.support.processes.programs import ANYWHERE, DEMO, PYTHON, Program, ProgramTests

# A version before configuration files and the admin API.
_OLDER = "4ddd388a5431a2fefb32383b7a9aabdc8ac3b424"

_ROOT = Path(brxy.__file__).parents[1]


class OlderVersionTests(ProgramTests):
    """
    Tests with an older version, from the history of this checkout.
    """

    def setUp(self) -> None:
        super().setUp()
        command = ["git", "-C", str(_ROOT), "archive", _OLDER, "brxy", "twisted"]
        archive = subprocess.run(command, capture_output=True)
        if archive.returncode:
            raise SkipTest("needs the history: run the tests in a full clone")
        older = self.folder / "older"
        older.mkdir()
        subprocess.run(["tar", "-x", "-C", older], input=archive.stdout, check=True)
        self.older = {"PYTHONPATH": str(older)}

    async def check(self, of_edge: dict[str, str], of_node: dict[str, str]) -> None:
        """
        Check that a node serves at an edge, before and after the edge starts anew.

        @param of_edge: variables for it.
        """
        (self.folder / "token").write_text("secret")
        ports = ("--port", ANYWHERE, "--node-port", "unix:nodes", "--token-file", "token")
        for number in range(2):
            edge = self.start(PYTHON, "-m", "brxy.edge", *ports, **of_edge)
            if not number:
                self.node(**of_node)
            await self.said(edge, ": ready after ")
            answer = await self.get(await self.address(edge))
            self.assertEqual(answer.status, 200)
            edge.signal(signal.SIGTERM)
            self.assertEqual(await self.ended(edge), -signal.SIGTERM)

    def node(self, **environ: str) -> Program:
        """
        Start a node.
        """
        where = ("--edge", "unix:nodes", "--token-file", "token")
        return self.start(PYTHON, "-m", "brxy.node", *where, "--", PYTHON, DEMO, **environ)

    async def test_node(self) -> None:
        """
        An older node serves at this edge.
        """
        await self.check({}, self.older)

    async def test_edge(self) -> None:
        """
        This node serves at an older edge.
        """
        await self.check(self.older, {})
