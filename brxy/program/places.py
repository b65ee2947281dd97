"""
Checks of the folders that twistd itself uses.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from brxy.errors import UsageError

__all__ = ["checkPlaces"]


def checkPlaces(twistd: Mapping[str, Any] | None) -> None:
    """
    Check the options of twistd that name a folder or file.  twistd itself reports errors in them
    with a traceback, or in the background with half a line.

    @param twistd: its options; L{None} if the program runs without it.
    @raise UsageError: one of them can't be used.
    """
    if twistd is None:
        return
    folder = twistd.get("rundir") or "."
    _check("--rundir", folder, folder, os.X_OK)
    pidfile = twistd.get("pidfile")
    if pidfile:
        path = os.path.join(folder, pidfile)
        place = path if os.path.exists(path) else os.path.dirname(path) or "."
        _check("--pidfile", pidfile, place, os.W_OK)


def _check(option: str, given: str, place: str, needed: int) -> None:
    try:
        os.stat(place)
    except OSError as error:
        raise UsageError(f"{option} {given}: {error.strerror}") from None
    if not os.access(place, needed):
        raise UsageError(f"{option} {given}: Permission denied")
