"""
The contender that is written in Go.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from benchmarks.http.servers import BenchError

__all__ = ["compileProxy", "goExecutable"]

_SOURCE = Path(__file__).with_name("goproxy.go")

# In the first run Go compiles its standard library as well.
_COMPILE = 300.0


def goExecutable() -> str | None:
    """
    @return: the path of Go: in the PATH, or where pip installs it.
    """
    return shutil.which("go") or shutil.which("go", path=sysconfig.get_path("scripts"))


def compileProxy(go: str, folder: Path) -> Path:
    """
    Compile the proxy.

    @param go: Go's executable.
    @param folder: the folder for the program.
    @return: the program.
    @raise BenchError: it does not compile.
    """
    program = folder / "goproxy"
    try:
        built = subprocess.run(
            [go, "build", "-o", str(program), str(_SOURCE)],
            env={**os.environ, "GO111MODULE": "off"},
            capture_output=True,
            text=True,
            timeout=_COMPILE,
        )
    except subprocess.TimeoutExpired:
        raise BenchError("go does not finish") from None
    if built.returncode != 0:
        said = (built.stderr.strip() or "nothing").splitlines()
        raise BenchError(f"go could not compile the proxy: {said[-1]}")
    return program
