"""
Functions that the command lines of benchmarks share.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.http.servers import BenchError

__all__ = ["guarded", "say", "sayLeftOut"]


def say(line: str) -> None:
    """
    Print a line about the progress, apart from the results.
    """
    print(f"bench: {line}", file=sys.stderr, flush=True)


def sayLeftOut(lines: Sequence[str]) -> None:
    """
    Report what is missing from the results, and why.

    @raise BenchError: something is missing, and C{BRXY_TEST_ALL=1} forbids
        that.
    """
    for line in lines:
        say(f"left out: {line}")
    if lines and os.environ.get("BRXY_TEST_ALL") == "1":
        raise BenchError("BRXY_TEST_ALL=1 makes this an error")


def _terminated(*_: Any) -> None:
    """
    End as after Ctrl-C, so that started processes are stopped.
    """
    raise KeyboardInterrupt


def guarded(run: Callable[[], None]) -> int:
    """
    Call a function, and report a failure in one line.

    @return: the exit status.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        run()
    except BenchError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0
