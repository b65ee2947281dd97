"""
Two sizes of the same test: a short one for each run, and a long one that
covers more and runs with C{./dev test --long}.
"""

from __future__ import annotations

import os
from typing import TypeVar

__all__ = ["tier"]

_N = TypeVar("_N", int, float)


def tier(short: _N, long: _N) -> _N:
    """
    @return: the size of a test: C{long} if C{BRXY_TEST_LONG=1} is in the
        environment.
    """
    return long if os.environ.get("BRXY_TEST_LONG") == "1" else short
