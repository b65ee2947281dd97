"""
A network of a benchmark's own, in which the kernel counts no other program's connections.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.report.command import say

__all__ = ["enterOwnNetwork"]

# Set in the environment of a process that has one.
_ENTERED = "BRXY_BENCH_OWN_NETWORK"

_LOOPBACK = "ip link set lo up"


def enterOwnNetwork(module: str, argv: Sequence[str]) -> None:
    """
    Start a module again in a network namespace of its own, if that is possible.

    @param argv: its arguments.
    """
    if _ENTERED in os.environ:
        return
    os.environ[_ENTERED] = "1"
    unshare = shutil.which("unshare") or "unshare"
    options = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    enter = [unshare, *options, "--", "sh", "-c"]
    try:
        subprocess.run([*enter, _LOOPBACK], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"other programs' connections are counted, too: {error}")
        return
    program = [sys.executable, "-m", module]
    os.execv(unshare, [*enter, f'{_LOOPBACK} && exec {shlex.join(program)} "$@"', "sh", *argv])
