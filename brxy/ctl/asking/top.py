"""
C{brxy top}: the edge and its busiest routes, drawn again each second.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from brxy.ctl.asking.client import Edge, findEdge
from brxy.ctl.asking.showing import printJSON
from brxy.ctl.asking.shown import duration, number, routeRows, size, table
from brxy.ctl.exitstatus import DONE, NO_EDGE, USAGE, Failure

__all__ = ["Look", "frame", "rate", "top", "useRows"]

# Seconds between two looks.
_PERIOD = 1.0

# Another screen, where what was on the terminal is not overwritten, without a cursor.
_BEGIN, _END = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _LINE_END, _REST = "\x1b[H", "\x1b[K", "\x1b[J"

_BOLD, _REVERSE, _PLAIN = "\x1b[1m", "\x1b[7m", "\x1b[0m"
_COLOURS = {
    "ready": "\x1b[32m",
    "starting": "\x1b[33m",
    "held": "\x1b[33m",
    "draining": "\x1b[33m",
    "failing": "\x1b[31m",
    "paused": "\x1b[35m",
    "stopped": "\x1b[35m",
    "asleep": "\x1b[2m",
}

_SORT = "sorted by clients held, then by requests in flight; q quits"


class Look(NamedTuple):
    """
    What an edge has answered.

    @ivar time: when, in seconds.
    """

    time: float
    status: Mapping[str, Any]
    routes: Sequence[Mapping[str, Any]]
    instances: Sequence[Mapping[str, Any]] = ()


def rate(before: Look | None, now: Look) -> float:
    """
    How many requests the edge has taken in each second between two looks.
    """
    return (
        0.0
        if before is None
        else _rise(before, now, lambda look: look.status["totals"]["matched"])
    )


def _rise(before: Look, now: Look, count: Callable[[Look], float]) -> float:
    if now.time <= before.time:
        return 0.0
    # An edge that was started again counts from 0, and so does an instance.
    return max(0.0, (count(now) - count(before)) / (now.time - before.time))


def useRows(look: Look, before: Look | None, hosts: Sequence[str]) -> list[list[str]]:
    """
    The requests per second of some routes, and what their instances use of the machine.
    """
    rows = [["REQ/S", "MEMORY", "CPU"]]
    for host in hosts:
        row = ["-", "-", "-"]
        if before is not None:
            row[0] = f"{_rise(before, look, partial(_exchanges, host)):.1f}"
        used = [each for each in look.instances if each["route"] == host]
        memory = [each["memory"] for each in used if each["memory"] is not None]
        if memory:
            row[1] = size(sum(memory))
            if before is not None:
                row[2] = f"{100 * _cpu(host, before, look):.0f}%"
        rows.append(row)
    return rows


def _exchanges(host: str, look: Look) -> float:
    return float(sum(each["exchanges"] for each in look.routes if each["host"] == host))


def _cpu(host: str, before: Look, now: Look) -> float:
    """
    @return: the processors that the instances of a route kept busy.
    """
    known = {each["ticket"]: each["cpu"] or 0.0 for each in before.instances}
    spent = sum(
        max(0.0, (each["cpu"] or 0.0) - known.get(each["ticket"], 0.0))
        for each in now.instances
        if each["route"] == host
    )
    return float(spent / max(now.time - before.time, 0.001))


def frame(
    look: Look, before: Look | None, columns: int, lines: int, colours: bool = True
) -> list[str]:
    """
    The lines of the screen.

    @param before: the last look, if there was one.
    """
    status = look.status
    instances = status["instances"]
    head = "   ".join(
        [
            f"edge {status['edge'][:8]}",
            status["state"],
            f"up {duration(status['uptime'])}",
            number(status["clients"], "client"),
            f"{status['held']} held",
            f"{instances['total']}/{instances['max']} instances",
            f"{rate(before, look):.1f} req/s",
            *([number(len(status["problems"]), "problem")] if status["problems"] else []),
        ]
    )
    order = sorted(look.routes, key=lambda each: (-each["held"], -each["in_flight"], each["host"]))
    shown = order[: max(lines - 4, 0)]
    used = useRows(look, before, [each["host"] for each in shown])
    both = [[*row[:5], *use, *row[5:]] for row, use in zip(routeRows(shown), used, strict=True)]
    titles, *rows = table(both, right=(2, 3, 4, 5, 6, 7))
    painted = [
        (_BOLD, head),
        ("", f"{number(status['routes'], 'route')}, {_SORT}"),
        ("", ""),
        (_REVERSE, titles.ljust(columns)),
        *((_COLOURS.get(each["state"], ""), row) for each, row in zip(shown, rows, strict=True)),
    ]
    return [
        f"{colour}{text[:columns]}{_PLAIN}" if colours and colour else text[:columns]
        for colour, text in painted[:lines]
    ]


def _look(edge: Edge) -> Look:
    status = edge.get("/v1/status")
    routes = edge.get("/v1/routes", limit="1000")["routes"]
    instances = edge.get("/v1/instances", limit="1000")["instances"]
    return Look(time.monotonic(), status, routes, instances)


@contextmanager
def _screen(descriptor: int) -> Iterator[None]:
    """
    A terminal on which keys are read at once; afterwards it is as it was.
    """
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    print(_BEGIN, end="", flush=True)
    try:
        yield
    finally:
        print(_END, end="", flush=True)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _quits(descriptor: int, seconds: float) -> bool:
    """
    Wait for a time, or for a key.

    @return: whether the key means to quit.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        readable, _, _ = select.select([descriptor], [], [], left)
        if readable and os.read(descriptor, 1) in (b"q", b"Q", b""):
            return True
    return False


def top(given: Namespace) -> int:
    """
    Draw until q is typed.
    """
    edge = findEdge(given)
    if given.json:
        while True:
            look = _look(edge)
            printJSON({"status": look.status, "routes": look.routes, "instances": look.instances})
            time.sleep(_PERIOD)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Failure("top needs a terminal; brxy status and brxy routes do not", USAGE)
    # The terminal must be as it was when the process is ended, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    first = _look(edge)
    with _screen(sys.stdin.fileno()):
        _draw(edge, first)
    return DONE


def _draw(edge: Edge, look: Look) -> None:
    colours = not os.environ.get("NO_COLOR")
    before = None
    complaint = ""
    while True:
        size = os.get_terminal_size()
        lines = frame(look, before, size.columns, size.lines - bool(complaint), colours)
        if complaint:
            lines = [complaint[: size.columns], *lines]
        # The last line has no line end, which would scroll.
        text = f"{_LINE_END}\n".join(lines)
        print(f"{_HOME}{text}{_LINE_END}{_REST}", end="", flush=True)
        if _quits(sys.stdin.fileno(), _PERIOD):
            return
        try:
            before, look, complaint = look, _look(edge), ""
        except Failure as failure:
            if failure.status != NO_EDGE:
                raise
            complaint = f"{failure}; trying again"
