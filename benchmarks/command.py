"""
What the command lines of benchmarks have in common.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.servers import BenchError

__all__ = ["guarded", "say"]


def say(line: str) -> None:
    """
    A line for whoever waits, apart from the results.
    """
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _terminated(*_: Any) -> None:
    """
    End as by Ctrl-C, so that what was started is stopped.
    """
    raise KeyboardInterrupt


def guarded(run: Callable[[], None]) -> int:
    """
    Do it, and put what went wrong into one line.

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
