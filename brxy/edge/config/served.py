"""
Checks that every route of a C{--tcp} or C{--route} can be served.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from brxy.errors import UsageError
from brxy.values.routepattern import covers

__all__ = ["checkServed"]


def checkServed(option: str, routes: Iterable[str], patterns: Sequence[str | None]) -> None:
    """
    Check that some spawn serves each of these routes.

    @param option: the option that names the routes.
    @param patterns: the routes of the spawns, see L{covers}.
    @raise UsageError: no spawn serves one of them.
    """
    for route in routes:
        if any(covers(pattern, route) for pattern in patterns):
            continue
        known = [pattern for pattern in patterns if pattern is not None]
        [alike, *_] = [*get_close_matches(route, known, 1), *known]
        raise UsageError(
            f"{option}: no --spawn serves the route {route}: write route={route} in place of "
            f"route={alike}, or add a --spawn for it"
        )
