"""
Finds the name that was probably meant.

Pure: names in, text out.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["didYouMean", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """
    @return: the known name that is most like this one; L{None} if none is like it.
    """
    names = list(known)
    # Whole parts of a name are often right: timeout for idle-timeout.
    close = get_close_matches(name.lower().replace("_", "-"), names, 1, 0.6)
    if close:
        return close[0]
    parts = [each for each in names if name in each.split("-")]
    return parts[0] if parts else None


def didYouMean(name: str, known: Iterable[str]) -> str:
    """
    @return: the end of a message about an unknown name: C{"; did you mean NAME?"}, or nothing
        if no known name is like it.
    """
    found = nearest(name, known)
    return "" if found is None else f"; did you mean {found}?"
