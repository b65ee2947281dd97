"""
The commands that have an edge do something.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from brxy.ctl.asking.client import findEdge, pathOf
from brxy.ctl.asking.showing import printJSON
from brxy.ctl.asking.shown import changeLines, routeLine
from brxy.ctl.exitstatus import DONE

__all__ = ["drain", "pause", "reload", "resume", "roll", "stop", "upgrade", "wake"]


def _change(given: Namespace, verb: str, waits: bool | None = True, **body: str | None) -> int:
    """
    Have a route changed, and print how it is then.

    @param waits: until that is done; L{None}: it is done at once.
    @param body: what is wanted; what is L{None} was not given.
    """
    path = pathOf("routes", given.host, verb)
    if waits is not None:
        path += f"?wait={str(waits).lower()}"
    wanted = {name: value for name, value in body.items() if value is not None}
    route = findEdge(given).post(path, wanted)
    if given.json:
        printJSON(route)
    else:
        print(routeLine(route))
    return DONE


def wake(given: Namespace) -> int:
    """
    Have instances of a route started.
    """
    body = {"for": vars(given)["for"], "min": given.min, "timeout": given.timeout}
    return _change(given, "wake", given.wait, **body)


def roll(given: Namespace) -> int:
    """
    Have the instances of a route replaced by new ones.
    """
    return _change(given, "roll", not given.no_wait, timeout=given.timeout)


def drain(given: Namespace) -> int:
    """
    Have the instances of a route finish and end.
    """
    return _change(given, "drain", not given.no_wait, timeout=given.timeout)


def pause(given: Namespace) -> int:
    """
    Have the requests of a route held.
    """
    return _change(given, "pause", not given.no_wait, max=given.max)


def resume(given: Namespace) -> int:
    """
    Have a route served again.
    """
    return _change(given, "resume", None)


def stop(given: Namespace) -> int:
    """
    Have the requests of a route answered with a message.
    """
    return _change(given, "stop", not given.no_wait, message=given.message, timeout=given.timeout)


def reload(given: Namespace) -> int:
    """
    Have the edge read its files again.
    """
    done: Any = findEdge(given).post("/v1/reload", {})
    if given.json:
        printJSON(done)
    else:
        print("\n".join(["the files were read again", *changeLines(done)]))
    return DONE


def upgrade(given: Namespace) -> int:
    """
    Have another version of the edge take the place of the one that runs.
    """
    done: Any = findEdge(given).post("/v1/edge/upgrade", {})
    if given.json:
        printJSON(done)
    else:
        print(f"process {done['pid']}, brxy {done['version']}, has taken over")
        print(f"process {done['former']} serves what it has, and then ends")
    return DONE
