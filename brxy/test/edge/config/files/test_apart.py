"""
Tests of reading configuration files in another process.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from brxy.edge.config.files import frames
from brxy.edge.config.files.apart import Apart
from brxy.edge.config.files.configuration import Configuration
from brxy.edge.config.files.loading import checkFile
from brxy.edge.config.files.reader import readConfiguration
from brxy.edge.config.options import Options
from brxy.errors import UsageError
from brxy.test.support.loopback.leftovers import RealTests
from brxy.tomlfile import document

_SPAWN = '[[route."a".spawn]]\nkind = "app"\ncommand = ["x"]\n'


class _NoParser:
    """
    In place of L{tomllib}.
    """

    def loads(self, text: str) -> dict[str, Any]:
        """
        Nothing is parsed here.
        """
        raise AssertionError("the files are parsed in this process")


class ApartTests(RealTests):
    """
    Tests of L{Apart}, with the real process.
    """

    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())

    async def read(self, text: str, *arguments: str) -> Configuration:
        """
        Read a file without parsing it in this process.
        """
        self.path.write_text(text)
        options = Options()
        options.parseOptions(["--config", str(self.path), *arguments])
        patched = self.patch(document, "tomllib", _NoParser())
        try:
            return await Apart(self.reactor, options.given, options.configuration).read()
        finally:
            patched.restore()

    async def refused(self, text: str, *arguments: str) -> str:
        """
        @return: why a file can't be read at all.
        """
        try:
            await self.read(text, *arguments)
        except UsageError as error:
            return str(error)
        self.fail("it was read")

    async def test_read(self) -> None:
        """
        The files are read in the other process, and nothing of them is parsed in this one.
        """
        found = await self.read(f"[edge]\nretries = 3\n{_SPAWN}", "--max-total", "7")
        self.assertEqual(found, readConfiguration(str(self.path)))

    async def test_faults(self) -> None:
        """
        They are checked as C{brxy check} does: each key, whether spawners can be made, and
        whether settings can be used together.
        """
        for text in (
            f"[edge]\nretris = 3\n{_SPAWN}",
            '[[route."a".spawn]]\nkind = "kubernetes"\n',
            f'[edge]\ntls-certs = "x"\n{_SPAWN}',
        ):
            found = await self.read(text)
            self.assertEqual(found.faults, checkFile(str(self.path)))
            self.assertEqual(len(found.faults), 1, found.faults)

    async def test_commandLine(self) -> None:
        """
        A file that doesn't go with the command line is refused in one line.
        """
        said = await self.refused(_SPAWN, "--node-tls-ca", "x")
        self.assertEqual(said, "for TLS on the node port give --node-tls-cert and --node-tls-key")

    async def test_failed(self) -> None:
        """
        If the process can't be started, or fails, that is said.
        """
        for program, reason in (
            ("/nonexistent", "cannot run '/nonexistent': no such file"),
            ("false", "a process has failed with status 1: "),
        ):
            self.patch(sys, "executable", program)
            self.assertEqual(
                await self.refused(_SPAWN), f"the settings can't be read again: {reason}"
            )

    async def test_otherVersion(self) -> None:
        """
        Another version of brxy, which was installed meanwhile, reads nothing for this one.
        """
        self.patch(frames, "__version__", "0")
        self.assertRegex(
            await self.refused(_SPAWN),
            r"\Abrxy [\d.]+ is installed now, and this edge is [\d.]+: restart it to read",
        )
