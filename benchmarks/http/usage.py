"""
Reads from /proc how much time and memory a process has used so far.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpuTime", "residentSize"]


def cpuTime(pid: int) -> float:
    """
    @return: seconds of CPU that the threads of a process have used, in user
        mode and in the kernel.

    @raise OSError: there is no such process.
    """
    try:
        return _schedulerTime(pid)
    except FileNotFoundError:
        # A kernel without CONFIG_SCHED_INFO counts only in ticks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _schedulerTime(pid: int) -> float:
    """
    @return: the same time, exact to some microseconds while the process
        sleeps.
    """
    folder = Path(f"/proc/{pid}/task")
    threads = [(folder / thread / "schedstat").read_text() for thread in os.listdir(folder)]
    return sum(int(text.split()[0]) for text in threads) / 1e9


def residentSize(pid: int) -> int:
    """
    @return: bytes of memory that a process has in RAM.

    @raise OSError: there is no such process.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
