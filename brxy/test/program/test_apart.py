"""
Tests of L{brxy.program.apart}.
"""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.program import apart
from brxy.program.apart import runApart

__all__ = ["RunApartTests"]

_MAIN = """
import sys, time
def main():
    said = sys.stdin.read()
    print(said.upper(), flush=True)
    if said == "sleep":
        time.sleep(1000)
    if said == "fail":
        sys.exit("no more")
"""


class RunApartTests(SynchronousTestCase):
    """
    Tests of L{runApart}.
    """

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "brxy_apart_main.py").write_text(_MAIN)
        self.patch(sys, "path", [str(folder.resolve()), *sys.path])

    def test_answers(self) -> None:
        """
        What the process writes is returned.
        """
        self.assertEqual(runApart("brxy_apart_main", b"request"), b"REQUEST\n")

    def test_fails(self) -> None:
        """
        What it says when it fails is in the error.
        """
        error = self.assertRaises(SpawnFailed, runApart, "brxy_apart_main", b"fail")
        self.assertEqual(str(error), "a process has failed with status 1: no more")

    def test_late(self) -> None:
        """
        One that does not end is killed.
        """
        self.patch(apart, "LIMIT", 0.5)
        error = self.assertRaises(SpawnFailed, runApart, "brxy_apart_main", b"sleep")
        self.assertEqual(str(error), "a process has not ended within 0.5 s")
