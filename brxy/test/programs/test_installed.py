"""
Tests that brxy serves requests when it is installed from a wheel, from an
sdist, by pipx, by uvx and as one file, each without any network.
"""

from __future__ import annotations

import re
import signal
from importlib.util import find_spec
from pathlib import Path

from twisted.trial.unittest import SkipTest

import brxy
from brxy.test.support.processes.builds import needBuildTools
from brxy.test.support.processes.programs import PYTHON, Program, ProgramTests
from brxy.test.support.processes.wheelhouse import Wheelhouse, theWheelhouse

__all__ = ["InstalledTests"]

_APP = ("python3", "-m", "http.server", "--bind", "127.0.0.1", "{port}")


class InstalledTests(ProgramTests):
    """
    Tests of each way to install brxy.
    """

    timeout = 300

    def house(self, *tools: str) -> Wheelhouse:
        """
        @param tools: modules that the test runs.
        @raise SkipTest: one of them is not installed.
        """
        needBuildTools()
        for each in tools:
            if find_spec(each) is None:
                raise SkipTest(f"needs {each}: pip install -e '.[test]'")
        return theWheelhouse()

    def installer(self, *command: str | Path, **environ: str) -> Program:
        """
        Start a command that finds brxy and what it needs in the wheelhouse
        only, and writes into the folder of this test.
        """
        own = {
            "HOME": str(self.folder),
            "PIPX_HOME": f"{self.folder}/pipx",
            "PIPX_BIN_DIR": f"{self.folder}/bin",
            "PIPX_MAN_DIR": f"{self.folder}/man",
            "PEX_ROOT": f"{self.folder}/pex",
            "UV_CACHE_DIR": f"{self.folder}/uv",
            **environ,
        }
        return self.start(*map(str, command), **{**theWheelhouse().environ, **own})

    async def printed(self, *command: str | Path, **environ: str) -> str:
        """
        @return: what a command printed, once it has ended well.
        """
        program = self.installer(*command, **environ)
        self.assertEqual(await self.ended(program), 0, program.out + program.err)
        return program.out

    async def serves(self, *brxy: str | Path) -> None:
        """
        Check that an edge before an app, started by this C{brxy}, serves a
        request, and stops when it should.
        """
        edge = self.installer(*brxy, "run", "--", *_APP)
        url = await self.said(edge, r"\Ahttp://(127\.0\.0\.1:\d+)\n")
        answer = await self.get(f"tcp:{url[1]}")
        self.assertEqual(answer.status, 200, edge.err)
        self.assertIn("Directory listing for /", answer.body)
        edge.signal(signal.SIGTERM)
        await self.ended(edge)
        await self.until(lambda: not self.running())

    async def test_pip(self) -> None:
        """
        pip installs the wheel with all that it needs, and in its place what it
        builds from the sdist. Both bring C{brxy}, its types, its pages of the
        manual, and what authors of spawners test with, but not the tests of
        brxy.
        """
        house = self.house()
        home = self.folder / "venv"
        await self.printed(PYTHON, "-m", "venv", "--without-pip", home)
        pip = (PYTHON, "-m", "pip", "--python", home / "bin/python", "install", "-q")
        for package in (house.wheel, house.sdist):
            more = ("--force-reinstall", "--no-deps") if package is house.sdist else ()
            await self.printed(*pip, *more, package)
            await self.serves(home / "bin/brxy")
            self.assertTrue((home / "share/man/man1/brxy.1").exists())
            (packages,) = home.glob("lib/python*/site-packages/brxy")
            self.assertTrue((packages / "py.typed").exists())
            self.assertTrue((packages / "spawners/testing/suite.py").exists())
            self.assertFalse((packages / "test").exists())

    async def test_pipx(self) -> None:
        """
        C{pipx install --include-deps .} brings C{brxy} and C{twistd}.
        """
        source = self.house("pipx").source
        pipx = (PYTHON, "-m", "pipx", "install", "--python", PYTHON)
        await self.printed(*pipx, "--include-deps", source)
        await self.serves(self.folder / "bin/brxy")
        self.assertIn(" brxy-edge ", await self.printed(self.folder / "bin/twistd", "--help"))

    async def test_uvx(self) -> None:
        """
        C{uvx --from .} runs C{brxy} without installing it.
        """
        house = self.house("uv")
        uvx = (PYTHON, "-m", "uv", "tool", "run", "--from", house.source, "brxy")
        self.assertEqual(await self.printed(*uvx, "version"), f"brxy {brxy.__version__}\n")
        await self.serves(*uvx)

    async def test_pex(self) -> None:
        """
        C{pex --venv} makes one file, which is C{brxy} and, with C{PEX_SCRIPT},
        C{twistd}.
        """
        house = self.house("pex")
        file = self.folder / "brxy.pex"
        wheels = ("--no-pypi", "--find-links", house.environ["PIP_FIND_LINKS"])
        made = ("--venv", "--script", "brxy", "--output-file", file)
        await self.printed(PYTHON, "-m", "pex", house.wheel, *wheels, *made)
        await self.serves(file)
        said = await self.printed(file, "--help", PEX_SCRIPT="twistd")
        self.assertTrue(re.search(r"\n +brxy-edge +Holds clients", said), said)
