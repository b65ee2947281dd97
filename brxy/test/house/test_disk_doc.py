"""
Tests that the table of what is kept on disk, in C{doc/operations.rst}, matches the code.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.edge.accesslog.writer import MOST
from brxy.edge.fleet.statefile import RETRY
from brxy.program.logfile import LogFile
from brxy.scaler.learned import Capacities
from brxy.test.support.pages import readPage

_PACKAGE = Path(brxy.__file__).parent

# The modules that make files or folders, each with a path in the table; C{""} for one that makes
# nothing on a disk.
_WRITERS = {
    "edge/accesslog/accesslog.py": "--access-log",
    "edge/applogs/applogs.py": "--app-log-dir",
    "edge/fleet/statefile.py": "STATE/edge.json",
    "edge/fleet/statelock.py": "STATE/edge.json",
    "edge/nodeports.py": "STATE/nodes.sock",
    "pki.py": "brxy pki",
    "processes/cgroups.py": "",
    "program/logfile.py": "--logfile",
    "program/logs.py": "--logfile",
    "program/tokenfile.py": "--token-file",
    "spawners/ssh/folder.py": "TMP/brxy-ssh-*",
}

_MAKERS = {
    "LogFile",
    "NamedTemporaryFile",
    "TemporaryDirectory",
    "makedirs",
    "mkdir",
    "mkdtemp",
    "mkstemp",
    "write_bytes",
    "write_text",
}


def _calls(path: Path) -> Iterator[tuple[str, str]]:
    """
    @return: the name of each function that a module calls, and the source of its arguments.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            if isinstance(node.func, ast.Name):
                name = node.func.id
            yield name, ", ".join(map(ast.unparse, node.args))


def _writes(path: Path) -> bool:
    """
    @return: whether a module makes files or folders.
    """
    return "O_CREAT" in path.read_text() or any(
        name in _MAKERS or name == "open" and re.search(r"'[wax]b?\+?'$", arguments)
        for name, arguments in _calls(path)
    )


class DiskDocTests(SynchronousTestCase):
    """
    Tests of the table.
    """

    def setUp(self) -> None:
        page = readPage("operations")
        [self.table] = re.findall(r"What is kept on disk\n-+\n(.*?)\n\.\. _", page, re.DOTALL)

    def test_writers(self) -> None:
        """
        The table has a row for each module that makes files or folders.
        """
        found = {
            str(path.relative_to(_PACKAGE))
            for path in _PACKAGE.rglob("*.py")
            if not {"test", "testing"} & set(path.relative_to(_PACKAGE).parts) and _writes(path)
        }
        self.assertEqual(found, set(_WRITERS))
        for place in _WRITERS.values():
            self.assertIn(place, self.table)

    def test_sockets(self) -> None:
        """
        It has the sockets that the edge makes.
        """
        names = {
            name
            for path in (_PACKAGE / "edge").rglob("*.py")
            for name in re.findall(r'"([\w.-]+\.sock)"', path.read_text())
        }
        self.assertEqual(names, set(re.findall(r"STATE/([\w.-]+\.sock)", self.table)))

    def test_bounds(self) -> None:
        """
        Its numbers are those of the code.
        """
        defaults = inspect.signature(LogFile).parameters
        files, size = defaults["kept"].default + 1, defaults["most"].default
        self.assertEqual(self.table.count(f"{files} files of {size // 10**6} MB"), 2)
        access = (_PACKAGE / "edge/accesslog/accesslog.py").read_text()
        [full] = re.findall(r"^_FULL = ([\d_]+)$", access, re.MULTILINE)
        [kept] = re.findall(r"^_KEPT = ([\d_]+)$", access, re.MULTILINE)
        self.assertIn(f"{int(kept) + 1} files of {int(full) // 10**6} MB", self.table)
        self.assertEqual(self.table.count(f"{MOST >> 20} MB"), 2)
        self.assertIn(f"{Capacities.MOST:,} learned capacities", self.table)
        self.assertIn(f"every {RETRY:.0f} s", self.table)
