"""
Tests of L{brxy.ctl.main} and L{brxy.ctl.parser}.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from brxy import __version__
from brxy.ctl.commands import COMMANDS
from brxy.ctl.exitstatus import DONE, USAGE
from brxy.ctl.main import perform
from brxy.ctl.parser import overview

__all__ = ["PerformTests", "Ran", "ran"]

#: Imports what commands that ask an edge import, and prints which of some packages that loads.
LOADED = """
import sys
from importlib import import_module
from brxy.ctl.commands import COMMANDS
from brxy.ctl.main import perform
from brxy.ctl.parser import parser
for each in COMMANDS:
    if not each.is_passed_on and each.name != "completion":
        parser(each)
        import_module(each.run.partition(":")[0])
perform(["version"])
print(*(name for name in ("twisted", "attr", "zope", "asyncio") if name in sys.modules))
"""


#: Asks an edge that is not there, and prints which of some slow modules that loads.
ASKED = """
import sys
before = set(sys.modules)
from brxy.ctl.main import perform
perform(["status", "--socket", "/nowhere"])
loaded = {each.partition(".")[0] for each in set(sys.modules) - before}
slow = {"asyncio", "attr", "datetime", "email", "http", "random", "shutil", "ssl", "subprocess",
    "twisted", "zope"}
print(*sorted(loaded & slow))
"""


@frozen
class Ran:
    """
    What became of a command.
    """

    status: int
    out: str
    err: str


def ran(*arguments: str) -> Ran:
    """
    Run a command in this process.
    """
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = perform(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    return Ran(status, out.getvalue(), err.getvalue())


class PerformTests(SynchronousTestCase):
    """
    Tests of what all commands have in common.
    """

    def test_version(self) -> None:
        """
        Both ways to ask for it print the version.
        """
        for word in ("version", "--version"):
            self.assertEqual(ran(word), Ran(DONE, f"brxy {__version__}\n", ""))

    def test_overview(self) -> None:
        """
        C{--help} lists all commands under their groups.
        """
        for word in ("--help", "-h", "help"):
            done = ran(word)
            self.assertEqual((done.status, done.err), (DONE, ""))
            for each in COMMANDS:
                self.assertRegex(done.out, rf"(?m)^  {each.name} +{each.help[:20]}")
                self.assertIn(f"{each.group}:\n", done.out)

    def test_narrow(self) -> None:
        """
        The list fits on a terminal of 60 columns.
        """
        self.assertLessEqual(max(map(len, overview(width=60).splitlines())), 60)

    def test_unknown(self) -> None:
        """
        A command that does not exist is answered with one line, which names
        the nearest.
        """
        self.assertEqual(
            ran("versoin"),
            Ran(USAGE, "", "brxy: versoin is no command; version?; see brxy --help\n"),
        )
        self.assertEqual(ran("x").err, "brxy: x is no command; see brxy --help\n")
        self.assertEqual(ran().err, "brxy: a command is needed; see brxy --help\n")

    def test_wrongArguments(self) -> None:
        """
        So is a wrong argument.
        """
        done = ran("version", "--loud")
        self.assertEqual((done.status, done.out), (USAGE, ""))
        self.assertEqual(
            done.err, "brxy: unrecognized arguments: --loud; see brxy version --help\n"
        )

    def test_help(self) -> None:
        """
        Each command explains itself.
        """
        for each in COMMANDS:
            if not each.is_passed_on:
                done = ran(each.name, "--help")
                self.assertEqual((done.status, done.err), (DONE, ""), each.name)
                self.assertIn(f"usage: brxy {each.name}", done.out)
                self.assertIn(each.help.split()[0], done.out)

    def test_distinct(self) -> None:
        """
        No two commands have the same name.
        """
        names = [each.name for each in COMMANDS]
        self.assertEqual(len(names), len(set(names)))

    def test_quick(self) -> None:
        """
        Commands that ask an edge load neither Twisted nor attrs, so that they
        start at once.
        """
        done = subprocess.run(
            [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, f"brxy {__version__}\n\n")

    def test_askingLoadsLittle(self) -> None:
        """
        Asking an edge loads nothing that takes long to load.
        """
        done = subprocess.run(
            [sys.executable, "-c", ASKED], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout, "\n", done.stdout)
        self.assertIn("no edge at /nowhere", done.stderr)
