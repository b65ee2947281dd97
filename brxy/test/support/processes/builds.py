"""
Helpers that build packages, and install them in environments made for a test,
without fetching anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shutil import copytree, ignore_patterns, unpack_archive
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy

__all__ = ["BUILD", "CHECKOUT", "DEBRIS", "BuildTests", "needBuildTools"]

CHECKOUT = Path(brxy.__file__).parent.parent

#: Files that accumulate in a checkout and are not sources.
DEBRIS = ignore_patterns(
    ".*", "_*build", "build", "dist", "*.egg-info", "__pycache__", "_trial_temp*", "dropin.cache"
)

#: Calls one of the hooks of PEP 517, as pip does, in the folder of the sources.
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"


def needBuildTools() -> None:
    """
    Check that brxy can be built.

    @raise SkipTest: brxy can't be built here without fetching something.
    """
    if not (CHECKOUT / "setup.cfg").exists():
        raise SkipTest("needs a checkout of brxy: git clone it")
    try:
        if int(version("setuptools").split(".")[0]) >= 77:
            return
    except PackageNotFoundError:
        pass
    raise SkipTest("needs setuptools 77 or newer: pip install -e '.[test]'")


class BuildTests(SynchronousTestCase):
    """
    Base of tests that build and install packages.

    @ivar scratch: a folder of the test's own.
    @ivar source: a copy of the checkout.
    """

    def setUp(self) -> None:
        needBuildTools()
        scratch = TemporaryDirectory(prefix="brxy-packaging-")
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.source = self.scratch / "source"
        copytree(CHECKOUT, self.source, ignore=DEBRIS)

    def output(self, *command: str | Path, cwd: Path | None = None) -> str:
        """
        Run a command to its end, unaffected by how this test was started.

        @return: what it printed.
        """
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            command,
            cwd=cwd or self.scratch,
            env=environment | {"PYTHONNOUSERSITE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def build(self, hook: str, source: Path) -> Path:
        """
        @return: the file that the build made.
        """
        into = self.scratch / f"{hook} of {source.name}"
        self.output(sys.executable, "-c", BUILD, hook, into, cwd=source)
        (made,) = into.iterdir()
        return made

    def unpacked(self, sdist: Path) -> Path:
        """
        @return: the folder that an sdist contains.
        """
        into = self.scratch / f"unpacked {sdist.name}"
        unpack_archive(sdist, into)
        (source,) = into.iterdir()
        return source

    def install(self, *wheels: Path) -> tuple[Path, Path]:
        """
        Install only these wheels in a fresh environment. It finds brxy's
        dependencies where the test itself has them.

        @return: the environment's Python, and the folder of its packages.
        """
        home = self.scratch / "venv"
        self.output(sys.executable, "-m", "venv", "--without-pip", home)
        python = home / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        self.output(*pip, "install", "-q", "--no-index", "--no-deps", *wheels)
        paths = {"base": str(home), "platbase": str(home)}
        packages = Path(sysconfig.get_path("purelib", "venv", paths))
        # This comes after the environment's own packages, and without the .pth files in it: if
        # brxy is there too, it isn't found first.
        (packages / "zz-dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return python, packages
