"""
Whether a process is stopped.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["isStopped"]

_CGROUPS = Path("/sys/fs/cgroup")


def isStopped(pid: int) -> bool:
    """
    @return: whether a process is stopped by a signal such as SIGSTOP, or frozen with its
        control group (cgroups(7), version 2), as by C{docker pause}.
    """
    try:
        # The name of the program, in parentheses, may contain anything.
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1]
        if state in (b"T", b"t"):
            return True
        # The line of version 2 begins with "0::".
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        own = next((line[4:] for line in groups if line.startswith("0::/")), None)
        return own is not None and "frozen 1" in (_CGROUPS / own / "cgroup.events").read_text()
    except OSError:
        return False
