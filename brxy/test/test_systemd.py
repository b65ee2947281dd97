"""
The units of C{examples/systemd}, by systemd's own tools.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.test.programs import TWISTD

UNITS = Path(brxy.__file__).parents[1] / "examples" / "systemd"

# systemd-analyze's, from 0 (nothing can happen) to 10.
EXPOSURE = 1.5


class UnitTests(SynchronousTestCase):
    """
    Tests of the units as they are.
    """

    def setUp(self) -> None:
        if not UNITS.exists():
            raise SkipTest("needs examples/: run the tests in a checkout")
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("needs systemd-analyze (apt install systemd)")

    def analyze(self, *arguments: str) -> str:
        """
        Run systemd-analyze.

        @return: what it printed, if it has no complaint.
        """
        command = ["systemd-analyze", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_verify(self) -> None:
        """
        systemd understands all of them, once what they start is there.
        """
        with tempfile.TemporaryDirectory() as folder:
            copies = []
            for unit in UNITS.iterdir():
                copy = Path(folder) / unit.name
                copy.write_text(unit.read_text().replace("/opt/brxy/bin/twistd", TWISTD))
                copies.append(str(copy))
            self.assertEqual(len(copies), 3)
            self.analyze("verify", "--man=no", *copies)

    def test_security(self) -> None:
        """
        What runs in them can do little harm; the page says how little.
        """
        page = (UNITS.parents[1] / "doc" / "security.rst").read_text()
        for unit in UNITS.glob("*.service"):
            told = self.analyze(
                "security", "--offline=true", f"--threshold={10 * EXPOSURE:.0f}", str(unit)
            )
            found = re.search(r"Overall exposure level for (\S+): (\S+)", told)
            assert found is not None, told
            self.assertIn(f"``{found[1]}``: {found[2]}", page)
