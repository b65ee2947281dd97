"""
What is installed from a checkout works, in each way to install it.
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
from zipfile import ZipFile

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy

CHECKOUT = Path(brxy.__file__).parent.parent

#: What a checkout gathers that is none of its sources.
DEBRIS = ignore_patterns(
    ".*", "_*build", "build", "dist", "*.egg-info", "__pycache__", "_trial_temp*", "dropin.cache"
)

#: Calls one of the hooks of PEP 517, as pip does, in the folder of the sources.
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"

#: C{twistd --help}, and then where its plugin is.
HELP = """
import sys
from twisted.scripts.twistd import run
try:
    run()
finally:
    print("from", sys.modules["twisted.plugins.brxy_plugin"].__file__)
"""


def needBuildTools() -> None:
    """
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


class InstallTests(SynchronousTestCase):
    """
    The wheel, the sdist and the editable install, in fresh environments.
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
        Run something to its end, untouched by how this test was started.

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
        into = self.scratch / hook
        self.output(sys.executable, "-c", BUILD, hook, into, cwd=source)
        (made,) = into.iterdir()
        return made

    def unpacked(self, sdist: Path) -> Path:
        """
        @return: the folder that was in an sdist.
        """
        unpack_archive(sdist, self.scratch / "unpacked")
        (source,) = (self.scratch / "unpacked").iterdir()
        return source

    def install(self, wheel: Path) -> tuple[Path, Path]:
        """
        Install a wheel alone in a fresh environment; what brxy needs it finds
        where this test has it from.

        @return: the environment's Python, and where it has its packages.
        """
        home = self.scratch / "venv"
        self.output(sys.executable, "-m", "venv", "--without-pip", home)
        python = home / "bin" / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        self.output(*pip, "install", "-q", "--no-index", "--no-deps", wheel)
        paths = {"base": str(home), "platbase": str(home)}
        packages = Path(sysconfig.get_path("purelib", "venv", paths))
        # Behind the environment's own packages, and without the .pth files in
        # it: should brxy be there too, it isn't found first.
        (packages / "zz-dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return python, packages

    def check(self, wheel: Path, where: Path | None = None) -> None:
        """
        Once installed, twistd has both plugins, from C{where} (where the
        wheel was installed to).
        """
        python, packages = self.install(wheel)
        plugin = (where or packages) / "twisted" / "plugins" / "brxy_plugin.py"
        said = self.output(python, "-c", HELP, "--help")
        self.assertRegex(said, r"\n +brxy-edge +Holds clients")
        self.assertRegex(said, r"\n +brxy-node +Runs an app")
        self.assertTrue(said.endswith(f"from {plugin}\n"), said)

    def test_wheel(self) -> None:
        """
        The wheel gives twistd both plugins.
        """
        self.check(self.build("build_wheel", self.source))

    def test_editable(self) -> None:
        """
        An editable install gives twistd both plugins, from the checkout.
        """
        self.check(self.build("build_editable", self.source), self.source)

    def test_sdist(self) -> None:
        """
        The sdist, which has what a checkout has, gives twistd both plugins.
        """
        source = self.unpacked(self.build("build_sdist", self.source))
        for name in ("dev", "examples/demo.py", "doc/index.rst", "CHANGES.rst", "LICENSE"):
            self.assertTrue((source / name).exists(), name)
        self.check(self.build("build_wheel", source))

    def test_complete(self) -> None:
        """
        In the wheel are all of brxy's files, its tests and C{py.typed} too,
        and of C{twisted} the plugin alone.
        """
        with ZipFile(self.build("build_wheel", self.source)) as wheel:
            packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
        files = (path for path in (self.source / "brxy").rglob("*") if path.is_file())
        expected = {str(path.relative_to(self.source)) for path in files}
        self.assertEqual(packed, expected | {"twisted/plugins/brxy_plugin.py"})
