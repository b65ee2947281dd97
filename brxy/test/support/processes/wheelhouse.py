"""
Wheels of all that an installed brxy needs, made of what is installed where the
tests run, so that installers need no network.
"""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256
from importlib.metadata import Distribution, distribution
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from packaging.requirements import Requirement

from brxy.test.support.processes.builds import BUILD, CHECKOUT, DEBRIS

__all__ = ["Wheelhouse", "theWheelhouse"]

# What only the installer of the original wheel wrote.
_OF_INSTALLERS = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")


def _needed(name: str, extras: frozenset[str] = frozenset()) -> dict[str, Distribution]:
    """
    @return: an installed distribution, and all that it needs.
    """
    found = {name.lower(): distribution(name)}
    for text in found[name.lower()].requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": each}) for each in extras or ("",)):
            found |= _needed(requirement.name, frozenset(requirement.extras))
    return found


def _wheelName(installed: Distribution) -> str:
    """
    @return: the name of its wheel, with the tags of the one that it was installed from.
    """
    lines = (installed.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(": ")[2].split("-") for line in lines if line.startswith("Tag: ")]
    parts = (".".join(sorted({tag[n] for tag in tags})) for n in range(3))
    name = installed.metadata["Name"].replace("-", "_").replace(".", "_")
    return "-".join((name, installed.version, *parts)) + ".whl"


def _repack(installed: Distribution, folder: Path) -> None:
    """
    Write the wheel of an installed distribution.
    """
    record = []
    with ZipFile(folder / _wheelName(installed), "w") as wheel:
        for each in installed.files or ():
            if ".." in each.parts or each.suffix == ".pyc" or each.name in _OF_INSTALLERS:
                continue
            content = each.read_binary()
            digest = urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{each},sha256={digest},{len(content)}\n")
            wheel.writestr(str(each), content)
            if each.name == "METADATA" and len(each.parts) == 2:
                own = f"{each.parent}/RECORD"
        wheel.writestr(own, "".join([*record, f"{own},,\n"]))


class Wheelhouse:
    """
    A folder with wheels.

    @ivar source: a copy of the checkout.
    @ivar wheel: brxy's wheel.
    @ivar sdist: brxy's sdist.
    @ivar environ: variables with which pip, pipx, uv and pex find what they
        need in the folder, and nowhere else.
    """

    def __init__(self) -> None:
        self._scratch = TemporaryDirectory(prefix="brxy-wheelhouse-")
        folder = Path(self._scratch.name)
        self.source = folder / "source"
        copytree(CHECKOUT, self.source, ignore=DEBRIS)
        wheels = folder / "wheels"
        wheels.mkdir()
        needed = _needed("brxy") | _needed("setuptools") | _needed("pip")
        for name, installed in needed.items():
            if name != "brxy":
                _repack(installed, wheels)
        self.sdist = self._built("build_sdist", folder / "sdist")
        self.wheel = self._built("build_wheel", folder / "wheel")
        self.environ = {
            "PYTHONPATH": "",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PIP_NO_COMPILE": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_CONFIG": "1",
            "UV_NO_INDEX": "1",
            "UV_OFFLINE": "1",
            "UV_FIND_LINKS": str(wheels),
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def _built(self, hook: str, into: Path) -> Path:
        subprocess.run(
            [sys.executable, "-c", BUILD, hook, str(into)],
            cwd=self.source,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": ""},
        )
        (made,) = into.iterdir()
        return made


@cache
def theWheelhouse() -> Wheelhouse:
    """
    @return: the one that all tests of this process share.
    """
    return Wheelhouse()
