"""
Tests that brxy works when it is installed from a checkout, in each way to
install it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import ZipFile

import brxy
from brxy.test.support.processes.builds import BuildTests

__all__ = ["ExampleTests", "InstallTests"]

#: The output of C{twistd --help}, and then the path of its plugin.
HELP = """
import sys
from twisted.scripts.twistd import run
try:
    run()
finally:
    print("from", sys.modules["twisted.plugins.brxy_plugin"].__file__)
"""

#: Has C{brxy run} serve a request, and types Ctrl-C; its arguments are the command and an app.
SERVE = """
import signal, subprocess, sys
from urllib.request import urlopen
brxy, app = sys.argv[1:]
command = [brxy, "run", "--", "python", app]
# A shell without job control has what it runs in the background ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
edge = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
print(urlopen(edge.stdout.readline().strip()).read().decode().split(",")[0])
edge.send_signal(signal.SIGINT)
print(edge.wait(60))
"""


def files(folder: Path) -> set[str]:
    """
    @return: the paths of all files in a folder, relative to it, without those
        that a build adds.
    """
    paths = (path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)) for path in paths}
    return {name for name in names if "/__pycache__/" not in name and ".egg-info/" not in name}


class InstallTests(BuildTests):
    """
    Tests of the wheel, the sdist and the editable install, in fresh
    environments.
    """

    def check(self, wheel: Path, where: Path | None = None) -> None:
        """
        Install it, and check that twistd has both plugins from C{where} (the
        folder of the installed wheel).
        """
        python, packages = self.install(wheel)
        plugin = (where or packages) / "twisted" / "plugins" / "brxy_plugin.py"
        said = self.output(python, "-c", HELP, "--help")
        self.assertRegex(said, r"\n +brxy-edge +Holds clients")
        self.assertRegex(said, r"\n +brxy-node +Runs an app")
        self.assertTrue(said.endswith(f"from {plugin}\n"), said)
        said = self.output(python.with_name("brxy"), "version")
        self.assertEqual(said, f"brxy {brxy.__version__}\n")

    def test_wheel(self) -> None:
        """
        The wheel gives twistd both plugins.
        """
        self.check(self.build("build_wheel", self.source))

    def test_serves(self) -> None:
        """
        The command C{brxy} of an installed wheel runs an app.
        """
        python, _ = self.install(self.build("build_wheel", self.source))
        app = self.source / "examples" / "demo.py"
        said = self.output(sys.executable, "-c", SERVE, python.with_name("brxy"), app)
        self.assertRegex(said, r"\AHello from process \d+\n-2\n\Z")

    def test_editable(self) -> None:
        """
        An editable install gives twistd both plugins, from the checkout, and
        has the tests.
        """
        self.check(self.build("build_editable", self.source), self.source)
        python = self.scratch / "venv" / "bin" / "python"
        said = self.output(python, "-c", "import brxy.test; print(brxy.test.__file__)")
        self.assertEqual(said, f"{self.source}/brxy/test/__init__.py\n")

    def test_sdist(self) -> None:
        """
        The sdist, which has all files of a checkout and can run the tests,
        gives twistd both plugins.
        """
        source = self.unpacked(self.build("build_sdist", self.source))
        self.assertEqual(files(self.source) - files(source), set())
        tests = ("-m", "brxy.test.run", "brxy.test.values.test_text")
        said = self.output(sys.executable, *tests, cwd=source)
        self.assertRegex(said, r" 0 failed, 0 skipped\n\Z")
        self.check(self.build("build_wheel", source))

    def test_complete(self) -> None:
        """
        The wheel contains all files of brxy but its tests, with C{py.typed},
        only the plugin of C{twisted}, and the manual pages. It has nothing
        else of the checkout.
        """
        with ZipFile(self.build("build_wheel", self.source)) as wheel:
            packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
        pages = {name for name in packed if ".data/" in name}
        self.assertEqual(
            {name.partition(".data/")[2] for name in pages},
            {f"data/share/man/man1/{path.name}" for path in (self.source / "doc/man").iterdir()},
        )
        expected = {
            name
            for name in files(self.source)
            if name.startswith("brxy/") and not name.startswith("brxy/test/")
        }
        self.assertEqual(packed - pages, expected | {"twisted/plugins/brxy_plugin.py"})


class ExampleTests(BuildTests):
    """
    Tests of the package of C{examples/spawner}, installed beside brxy.
    """

    def test_example(self) -> None:
        """
        The package is built from its own sdist and installed. twistd lists its
        spawners with their keys, and C{stay:} passes the tests that come with
        it, with edges that find it by its name.
        """
        example = self.source / "examples" / "spawner"
        wheels = [self.build("build_wheel", self.source)]
        sources = self.unpacked(self.build("build_sdist", example))
        wheels.append(self.build("build_wheel", sources))
        python, packages = self.install(*wheels)
        for name in ("brxy_stay.py", "brxy_wake.py"):
            self.assertTrue((packages / name).exists(), name)
        twistd = "from twisted.scripts.twistd import run; run()"
        said = self.output(python, "-c", twistd, "brxy-edge", "--help-spawners")
        for line in ("stay: runs", "  stop-timeout= ", "wake: wakes", "  mac= ", "  packet-to= "):
            self.assertIn(f"\n{line}", said)
        self.assertRegex(said, r"mac= +the machine's hardware address \[required\]")
        self.assertNotIn("can't be used", said)
        said = self.output(python, "-m", "twisted.trial", "test_brxy_stay", cwd=sources)
        self.assertRegex(said, r"PASSED \(successes=1\d\)\s*\Z")
