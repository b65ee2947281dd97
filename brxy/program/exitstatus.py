"""
Ending twistd with a status of our own.
"""

from __future__ import annotations

import atexit
import os
import sys

__all__ = ["exitWith"]


def exitWith(status: int) -> None:
    """
    Have this process end with a status, whenever it ends.

    twistd knows only 0 and death by signal, and swallows a C{SystemExit} that
    is raised inside the reactor.  This runs after it has removed its pidfile.
    """

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
