"""
An image with Python, made of what this machine has, since no registry is
asked in the tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from brxy.test.support.docker.dockerd import MISSING, Dockerd

__all__ = ["BASE", "NO_BASE", "makeBase"]

#: The name of the image.
BASE = "base:1"

_PYTHON = Path("/usr/bin") / f"python{sys.version_info[0]}.{sys.version_info[1]}"
_LIBRARY = Path("/usr/lib") / _PYTHON.name
_BUNDLED = Path("/usr/share/python-wheels")

# What the build of an image runs, by busybox.
_TOOLS = ("sh", "mkdir", "chown", "chmod")

# Parts of Python's library that nothing here needs.
_LEFT_OUT = ("__pycache__", "idlelib", "test", "tests", "lib2to3", "pydoc_data")

#: Why the image can't be made; C{""} if it can.
NO_BASE = MISSING or ("" if _PYTHON.exists() else f"needs {_PYTHON}: apt install python3-venv")


def _libraries(files: Iterable[Path]) -> set[str]:
    """
    @return: all shared libraries that these programs and libraries load.
    """
    found = set()
    for file in files:
        listed = subprocess.run(["ldd", str(file)], capture_output=True, text=True).stdout
        found.update(re.findall(r"(/\S+) \(0x", listed))
    return found


def _contents() -> set[str]:
    """
    @return: all files and folders of the image, but for busybox.
    """
    cryptography = find_spec("cryptography")
    assert cryptography is not None and cryptography.origin is not None
    bindings = Path(cryptography.origin).parent
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    programs = [_PYTHON, Path(setpriv), *_LIBRARY.glob("lib-dynload/*.so")]
    # That of cffi, by which cryptography is called, lies beside the packages.
    extensions = [*bindings.rglob("*.so"), *bindings.parent.glob("*.so")]
    libraries = _libraries([*programs, *extensions])
    ours = {each for each in libraries if each.startswith(("/lib", "/usr/lib"))}
    return {str(_PYTHON), setpriv, str(_LIBRARY), str(_BUNDLED), *ours}


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = entry.name.split("/")
    left_out = any(part in _LEFT_OUT or part.startswith("config-") for part in parts)
    return None if left_out else entry


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    tar.addfile(entry)


def makeBase(dockerd: Dockerd) -> None:
    """
    Make the image L{BASE}.
    """
    busybox = shutil.which("busybox")
    assert busybox is not None
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path in sorted(_contents()):
                # A library's name is a symbolic link to the file.
                real = path if Path(path).is_dir() else str(Path(path).resolve())
                tar.add(real, path.lstrip("/"), filter=_wanted)
            tar.add(busybox, "bin/busybox")
            for name in _TOOLS:
                _link(tar, f"bin/{name}", "busybox")
            _link(tar, "usr/bin/python3", _PYTHON.name)
            folder = tarfile.TarInfo("tmp")
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
        file.seek(0)
        dockerd.docker("import", "-", BASE, stdin=file)
