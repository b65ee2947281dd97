"""
Ends twistd with an exit status that the program chooses.
"""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress

__all__ = ["exitWith"]


def exitWith(status: int) -> None:
    """
    Set the exit status with which this process ends, whenever it ends.

    twistd itself ends with 0 or by a signal, and swallows a C{SystemExit} that is raised
    inside the reactor.  The status takes effect after twistd has removed its pidfile.
    """

    def leave() -> None:
        # A terminal that has ended takes nothing more.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)

    atexit.register(leave)
