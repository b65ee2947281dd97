"""
The commands that ask an edge, and change nothing.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from brxy.ctl.asking.client import findEdge, pathOf
from brxy.ctl.asking.shown import (
    certificateRows,
    eventLine,
    instanceRows,
    routeRows,
    statusLines,
    table,
)
from brxy.ctl.exitstatus import DONE
from brxy.values.text import coloured, printable

__all__ = ["certs", "events", "instances", "logs", "printJSON", "routes", "status"]

# The states of routes that C{brxy status} names.
_ATTENTION = ("stopped", "paused", "held")


def printJSON(value: Any) -> None:
    """
    Print a value for programs.
    """
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def status(given: Namespace) -> int:
    """
    Print the state of the edge.
    """
    edge = findEdge(given)
    found = edge.get("/v1/status")
    if given.json:
        printJSON(found)
        return DONE
    routes = [
        each for state in _ATTENTION for each in edge.all("/v1/routes", "routes", state=state)
    ]
    _print(statusLines(found, routes))
    return DONE


def routes(given: Namespace) -> int:
    """
    Print the routes.
    """
    pattern, state = given.host or "", given.state or ""
    found = findEdge(given).all("/v1/routes", "routes", host=pattern, state=state)
    if given.json:
        printJSON(found)
    elif given.names:
        _print(each["host"] for each in found)
    else:
        _print(table(routeRows(found), right=(2, 3, 4)))
    return DONE


def instances(given: Namespace) -> int:
    """
    Print the instances, or one of them.
    """
    edge = findEdge(given)
    if given.ticket:
        found = [edge.get(pathOf("instances", given.ticket))]
    else:
        query = {"host": given.route or "", "state": given.state or ""}
        found = edge.all("/v1/instances", "instances", **query)
    if given.json:
        printJSON(found[0] if given.ticket else found)
    else:
        _print(table(instanceRows(found), right=(4, 5, 6, 7, 8)))
    return DONE


def events(given: Namespace) -> int:
    """
    Print the last events, and with C{--follow} those that come.
    """
    edge = findEdge(given)
    host = given.route or ""
    if given.follow:
        for each in edge.follow("/v1/events", host=host, follow="true"):
            _printEvent(each, given.json)
        return DONE
    for each in edge.get("/v1/events", host=host, follow="false")["events"]:
        _printEvent(each, given.json)
    return DONE


def _printEvent(event: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(event, ensure_ascii=False), flush=True)
        return
    moment = time.strftime("%H:%M:%S", time.localtime(event.get("time", 0)))
    print(eventLine(event, moment), flush=True)


def logs(given: Namespace) -> int:
    """
    Print what the instances of a route have printed.
    """
    edge = findEdge(given)
    path = pathOf("routes", given.route, "logs")
    query = {"ticket": given.instance or "", "lines": given.lines or ""}
    if given.follow:
        for each in edge.follow(path, follow="true", **query):
            _printLine(each, given.json)
        return DONE
    for each in edge.get(path, **query)["lines"]:
        _printLine(each, given.json)
    return DONE


def certs(given: Namespace) -> int:
    """
    Print the certificates.
    """
    found = findEdge(given).get("/v1/certs")["certificates"]
    if given.json:
        printJSON(found)
    else:
        # Takes long to load, and is needed in this case only.
        from datetime import datetime

        ends = [datetime.fromisoformat(each["not_after"]).timestamp() for each in found]
        _print(table(certificateRows(found, [end - time.time() for end in ends])))
    return DONE


def _printLine(line: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(line, ensure_ascii=False), flush=True)
        return
    # Only what sets colours reaches a terminal, and nothing like that a file.
    text: str = line["line"]
    shown = coloured(text) if sys.stdout.isatty() else "\t".join(map(printable, text.split("\t")))
    print(f"{line['ticket']}| {shown}", flush=True)
