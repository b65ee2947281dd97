"""
What an operator should look at.

Pure: it gets snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from brxy.edge.eventlog import textOf
from brxy.edge.events import Event
from brxy.scaler.snapshot import RouteSnapshot

__all__ = ["MOST", "edgeProblems", "problem", "routeProblems", "shortened"]

#: How many problems are shown at once.
MOST = 100


def routeProblems(found: RouteSnapshot) -> list[str]:
    """
    @return: the problems of a route, one line each.
    """
    problems = [
        f"{each.name}: {each.reason}" + _pause(each.retry_after)
        for each in found.spawns
        if each.reason and each.allowed is not None
    ]
    if found.short:
        problems.append("an instance is needed, but the edge has as many as it may have")
    silent = [each.ticket for each in found.instances if each.suspended]
    if silent:
        problems.append(f"unresponsive: {', '.join(silent)}")
    return problems


def _pause(seconds: float) -> str:
    return f"; next try in {seconds:.1f} s" if seconds > 0 else ""


def edgeProblems(
    reload: Iterable[str], restart: Iterable[str], late: Iterable[Event], denied: int
) -> Iterator[dict[str, Any]]:
    """
    The problems of the edge as a whole.

    @param reload: what could not be used at the last reload.
    @param restart: the options that have changed and need a restart.
    @param late: the certificates that have expired, or expire soon.
    @param denied: starts that were denied to clients in the last ten minutes.
    """
    for text in reload:
        yield problem("reload", text)
    for option in restart:
        yield problem("restart", f"{option} has changed, which takes effect after a restart")
    for event in late:
        yield problem("certificate", textOf(event))
    if denied:
        times = "once" if denied == 1 else f"{denied} times"
        text = f"clients were denied the start of an app {times} in the last ten minutes"
        yield problem("denied", text)


def problem(kind: str, text: str, route: str | None = None) -> dict[str, Any]:
    """
    A problem as the API shows it.
    """
    return {"kind": kind, "route": route, "text": text}


def shortened(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    At most L{MOST} of them.
    """
    found = list(problems[:MOST])
    if len(problems) > MOST:
        found.append(problem("more", f"{len(problems) - MOST} more"))
    return found
