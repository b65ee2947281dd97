"""
Tests of the units of C{examples/systemd}, with systemd's own tools.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import brxy
from brxy.test.support.loopback.storms import LIGHT
from brxy.test.support.processes.docexamples import allBlocks
from brxy.test.support.processes.programs import TWISTD

UNITS = Path(brxy.__file__).parents[1] / "examples" / "systemd"

# The limit in tenths, from 0 (no exposure) to 100. What systemd rates as OK ends at 49.
EXPOSURE = 20


class UnitTests(SynchronousTestCase):
    """
    Tests of the unit files themselves.
    """

    def setUp(self) -> None:
        if not UNITS.exists():
            raise SkipTest("needs examples/: run the tests in a checkout")
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("needs systemd-analyze (apt install systemd)")

    def analyze(self, *arguments: str) -> str:
        """
        Run systemd-analyze.

        @return: its output, if it has no complaint.
        """
        command = ["systemd-analyze", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_verify(self) -> None:
        """
        systemd verifies all units, once the programs that they start exist.
        """
        with tempfile.TemporaryDirectory() as folder:
            copies = []
            for unit in UNITS.glob("brxy-*"):
                copy = Path(folder) / unit.name
                text = unit.read_text()
                for name in ("twistd", "brxy"):
                    text = text.replace(f"/opt/brxy/bin/{name} ", f"{TWISTD} ")
                copy.write_text(text)
                copies.append(str(copy))
            self.assertEqual(len(copies), 3)
            self.analyze("verify", "--man=no", *copies)

    def test_security(self) -> None:
        """
        A compromised service could do little harm.
        """
        units = [str(unit) for unit in UNITS.glob("*.service")]
        self.assertEqual(len(units), 2)
        for unit in units:
            self.analyze("security", "--offline=true", f"--threshold={EXPOSURE}", unit)


# The programs in the container at the paths that the units expect.
_PROGRAM = """\
#!/bin/sh
export PYTHONPATH=/opt/brxy/source:/opt/brxy/lib
exec /usr/bin/python3 %s "$@"
"""
_TWISTD = _PROGRAM % "-c 'from twisted.scripts.twistd import run; run()'"
_BRXY = _PROGRAM % "-m brxy.ctl"
_APP = """\
#!/bin/sh
/usr/bin/python3 -c 'from brxy.uptake.sockdiag import openDiag; openDiag()'
echo openDiag: $?
exec /usr/bin/python3 /opt/hello/light.py
"""
# With what doc/containers.rst adds to the edge's unit.
_INSIDE = """\
Type=oneshot
Restart=no
Environment=PYTHONPATH=/opt/brxy/source:/opt/brxy/lib
ExecStart=
ExecStart=/usr/bin/python3 /opt/hello/inside.py
ExecReload=
"""
_INSIDE_PROGRAM = """\
from brxy.uptake.namespaces import diagIn
with open("/opt/check/pid") as file:
    diagIn(int(file.read()), "127.0.0.1")
"""
_CHECK = """\
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 /opt/check/booted.py
StandardOutput=file:/opt/check/out
StandardError=file:/opt/check/err
ExecStopPost=/bin/systemctl poweroff --force
"""


class BootTests(SynchronousTestCase):
    """
    Tests of the units with a running systemd, in a container with this
    machine's /usr.
    """

    def setUp(self) -> None:
        if not UNITS.exists():
            raise SkipTest("needs examples/: run the tests in a checkout")
        if shutil.which("systemd-nspawn") is None:
            raise SkipTest("needs systemd-nspawn (apt install systemd-container)")
        if os.geteuid() != 0:
            raise SkipTest("needs root, for systemd-nspawn")
        if os.path.realpath(sys.executable) != os.path.realpath("/usr/bin/python3"):
            raise SkipTest("needs the system's own Python")
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def test_boot(self) -> None:
        """
        The edge starts with its first client. Neither the edge nor its app has
        privileges. A reload with a bad file fails, and one with a good file is done when
        it ends. Of 400 probes while the edge restarts all are answered, and of 400 while another
        one takes its place, whose process is that of the unit then. The node starts too, and both
        stop. In both sandboxes the sockets of the app are seen, and in the
        edge's, with what the page about containers adds, those in another network
        namespace.
        """
        told = self.boot()
        for who in ("edge", "app"):
            self.assertEqual(told[who]["CapBnd"], "0" * 16)
            self.assertEqual((told[who]["NoNewPrivs"], told[who]["Seccomp"]), ("1", "2"))
            self.assertNotIn("0", told[who]["Uid"].split())
        self.assertEqual(told["edge"]["Uid"], told["app"]["Uid"])
        self.assertEqual(told["state"], ["100600", True])
        self.assertEqual(told["badly"], "failed")
        self.assertIn("/etc/brxy/brxy.toml:5: prot is not known", told["journal"])
        self.assertEqual(told["reload"], ["ok", "413"])
        self.assertEqual(told["answers"], {"ok": 400})
        self.assertEqual(told["upgrade"], [True, "active", {"ok": 400}])
        self.assertEqual((told["brxy-edge"], told["brxy-node"]), ("success", "success"))
        self.assertEqual(told["openDiag"], {"brxy-edge": "0", "brxy-node": "0"})
        self.assertEqual(told["inside"], "ok")
        self.assertNotIn("can't learn", told["journal"])
        self.assertNotIn("Traceback", told["journal"])
        self.assertNotIn("not permitted", told["journal"])

    def boot(self) -> dict[str, Any]:
        """
        @return: the output of C{booted.py}.
        """
        binds = self.provide()
        command = ["systemd-nspawn", "--quiet", "--directory=/", "--volatile=yes"]
        command += ["--register=no", "--keep-unit", "--private-network", "--link-journal=no"]
        command += [f"--machine=brxy-{os.getpid()}", "--console=pipe", *binds]
        done = subprocess.run(
            [*command, "--boot", "systemd.unit=check.service"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
        )
        check = self.folder / "check"
        said = check / "out"
        if not said.exists() or not said.read_text():
            err = check / "err"
            self.fail(done.stderr + (err.read_text() if err.exists() else ""))
        return dict(json.loads(said.read_text()))

    def provide(self) -> list[str]:
        """
        Make the files that the container needs.

        @return: the paths to mount.
        """
        self.write("brxy/bin/twistd", _TWISTD)
        self.write("brxy/bin/brxy", _BRXY)
        self.write("hello/bin/gunicorn", _APP)
        self.write("hello/light.py", Path(LIGHT).read_text())
        self.write("check/booted.py", Path(LIGHT).with_name("booted.py").read_text())
        self.write("etc/token", "secret")
        self.write("etc/brxy.toml", (UNITS / "brxy.toml").read_text())
        self.write("units/check.service", _CHECK)
        for name in ("brxy/source", "brxy/lib"):
            (self.folder / name).mkdir()
        for unit in UNITS.glob("brxy-*"):
            self.write(f"units/{unit.name}", unit.read_text())
        self.write("hello/inside.py", _INSIDE_PROGRAM)
        self.write("units/inside.service", self.inside())
        root = str(UNITS.parents[1])
        return [
            *(f"--bind-ro={self.folder}/{name}:/opt/{name}" for name in ("brxy", "hello")),
            f"--bind-ro={root}:/opt/brxy/source",
            f"--bind-ro={sysconfig.get_path('purelib')}:/opt/brxy/lib",
            f"--bind={self.folder}/check:/opt/check",
            f"--bind={self.folder}/etc:/etc/brxy",
            *(
                f"--bind-ro={unit}:/etc/systemd/system/{unit.name}"
                for unit in (self.folder / "units").iterdir()
            ),
        ]

    def inside(self) -> str:
        """
        @return: the unit of an edge with C{docker:}, which runs a check in its place.
        """
        [addition] = [each.text for each in allBlocks() if "AmbientCapabilities=" in each.text]
        unit = (UNITS / "brxy-edge.service").read_text().partition("[Install]")[0]
        # There are neither clients nor a daemon.
        unit = unit.replace("Requires=brxy-edge.socket\n", "")
        return unit + addition.replace("SupplementaryGroups=docker\n", "") + "\n" + _INSIDE

    def write(self, name: str, text: str) -> None:
        """
        Write a file that all users can read and execute.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
