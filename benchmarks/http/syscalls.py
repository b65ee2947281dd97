"""
Counts the system calls of a request, with strace.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from benchmarks.http import wrk
from benchmarks.http.contender import Missing, Running
from benchmarks.http.load import Load

__all__ = ["Calls", "calls", "parseSummary"]

# Seconds in which strace must have attached to all threads of a process.
_ATTACH = 5.0


@frozen
class Calls:
    """
    The system calls of one process.

    @ivar each: how often it made each of them for a request, the most frequent
        first.
    @ivar errors: of the load's clients, see L{wrk.Outcome}.
    """

    contender: str
    part: str
    load: str
    each: Mapping[str, float]
    errors: int = 0


def parseSummary(text: str) -> dict[str, int]:
    """
    @param text: the output of C{strace -c}.
    @return: how often each system call was made.
    """
    counts = {}
    for line in text.splitlines():
        words = line.split()
        # % time, seconds, usecs/call, calls, errors (or nothing), syscall
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
    return counts


def calls(load: Load, contender: Running, seconds: float, folder: Path) -> list[Calls]:
    """
    Count the calls of each process of a contender under a load.

    @raise Missing: strace is not installed, or has no permission.
    """
    files = {part: folder / f"strace-{contender.name}-{part}" for part in contender.parts}
    tracers = []
    try:
        for part, process in contender.parts.items():
            tracers.append(_attach(process.pid, files[part]))
        outcome = wrk.run(load, contender.port, seconds)
    finally:
        for tracer in tracers:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
    found = []
    for part, file in files.items():
        counts = sorted(parseSummary(file.read_text()).items(), key=lambda item: -item[1])
        each = {name: count / max(1, outcome.requests) for name, count in counts}
        found.append(Calls(contender.name, part, load.name, each, outcome.errors))
    return found


def _attach(pid: int, output: Path) -> subprocess.Popen[bytes]:
    """
    Attach strace, which begins to count.
    """
    command = ["strace", "-c", "-f", "-p", str(pid), "-o", str(output)]
    try:
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        raise Missing("needs strace (apt install strace)") from None
    deadline = time.monotonic() + _ATTACH
    while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
        if tracer.poll() is not None or time.monotonic() > deadline:
            tracer.kill()
            tracer.wait()
            raise Missing("strace has no permission to trace (see ptrace_scope)")
        time.sleep(0.01)
    # strace has attached to the first thread now, and attaches to the others at once.
    time.sleep(0.1)
    return tracer
