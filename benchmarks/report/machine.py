"""
The machine, and the versions of programs, of a measurement.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import brxy
import twisted
from benchmarks.http.goproxy import goExecutable

__all__ = ["describe"]

# The options that make each program print its version.
_PROGRAMS = {
    "HAProxy": ["haproxy", "-v"],
    "nginx": ["nginx", "-v"],
    "wrk": ["wrk", "-v"],
    "strace": ["strace", "-V"],
}

_VERSION = re.compile(r"\d+\.\d+[\w.]*")


def _version(command: Sequence[str]) -> str | None:
    """
    @return: the first word like a version in a command's output, if the
        command exists.
    """
    try:
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        ).stdout
    except OSError:
        return None
    found = _VERSION.search(said)
    return found[0] if found else None


def _processor() -> str:
    """
    @return: the processor's name, as the kernel reports it.
    """
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe() -> dict[str, str]:
    """
    @return: the properties that may affect the results, by name.
    """
    described = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "Linux": platform.release(),
        "Python": platform.python_version(),
        "Twisted": twisted.__version__,
        "brxy": brxy.__version__,
    }
    go = goExecutable()
    programs = {**_PROGRAMS, **({"Go": [go, "version"]} if go else {})}
    versions = {name: _version(command) for name, command in programs.items()}
    return {**described, **{name: found for name, found in versions.items() if found}}
