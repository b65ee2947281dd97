"""
What an edge answers, as people read it.

Pure: values in, text out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brxy.values.text import printable

__all__ = [
    "certificateRows",
    "changeLines",
    "duration",
    "eventLine",
    "instanceRows",
    "number",
    "routeLine",
    "routeRows",
    "size",
    "statusLines",
    "table",
]

_SIZES = "BKMGT"

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def duration(seconds: float) -> str:
    """
    A time in its two largest units: C{3d 4h}.
    """
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    for place, (unit, name) in enumerate(_UNITS):
        if whole >= unit:
            text = f"{whole // unit}{name}"
            if place + 1 < len(_UNITS) and (rest := whole % unit // _UNITS[place + 1][0]):
                text += f" {rest}{_UNITS[place + 1][1]}"
            return text
    return "0s"


def size(count: float) -> str:
    """
    A number of bytes, to about two places: C{34M}.
    """
    place = 0
    while count >= 999.5 and place < len(_SIZES) - 1:
        count /= 1024
        place += 1
    digits = 1 if place and count < 9.95 else 0
    return f"{count:.{digits}f}{_SIZES[place]}"


def number(count: int, one: str, more: str = "") -> str:
    """
    A number of things.
    """
    return f"{count} {one if count == 1 else more or one + 's'}"


def table(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """
    Lines whose columns are aligned.

    @param rows: the first one has the headings.
    @param right: the columns whose values end at the same place.
    """
    safe = [[printable(each) for each in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*safe, strict=True)]
    lines = []
    for row in safe:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def statusLines(status: Mapping[str, Any], routes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """
    The edge as a whole.

    @param routes: those that need attention.
    """
    yield (
        f"edge {status['edge'][:8]}: {status['state']}, up {duration(status['uptime'])}, process"
        f" {status['pid']}, brxy {status['version']}"
    )
    for problem in status["problems"]:
        about = f"{problem['route']}: " if problem["route"] else ""
        yield printable(f"problem: {about}{problem['text']}")
    for name, places in status["ports"].items():
        for place in places:
            yield f"{name + ':':9}{printable(place)}"
    yield (
        f"{number(status['clients'], 'client')}, {status['held']} held;"
        f" {number(status['routes'], 'route')}"
    )
    yield _instances(status["instances"])
    yield f"since its start: {_totals(status['totals'])}"
    for each in routes:
        yield f"{printable(each['host'])}: {each['state']}, {each['held']} held"


def _instances(counts: Mapping[str, int]) -> str:
    states = ", ".join(
        f"{count} {name}"
        for name, count in counts.items()
        if name not in ("total", "max") and count
    )
    return f"{counts['total']} of {number(counts['max'], 'instance')}" + (
        f": {states}" if states else ""
    )


def _totals(totals: Mapping[str, Any]) -> str:
    return (
        f"{number(totals['matched'], 'request')} matched, {totals['held']} held,"
        f" {totals['lost']} lost, {totals['rejected']} rejected"
    )


def routeRows(routes: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """
    A table of routes.
    """
    rows = [["ROUTE", "STATE", "HELD", "IN FLIGHT", "CAPACITY", "INSTANCES"]]
    for each in routes:
        numbers = (str(each[name]) for name in ("held", "in_flight", "capacity"))
        rows.append([each["host"], each["state"], *numbers, _states(each)])
    if any(each["problems"] for each in routes):
        for row, text in zip(rows, ["PROBLEM", *map(_problems, routes)], strict=True):
            row.append(text)
    return rows


def _problems(route: Mapping[str, Any]) -> str:
    return "; ".join(route["problems"])


def routeLine(route: Mapping[str, Any]) -> str:
    """
    A route in one line.
    """
    return (
        f"{printable(route['host'])}: {route['state']}; {route['held']} held,"
        f" {route['in_flight']} in flight; instances: {_states(route)}"
        + (f"; {printable(_problems(route))}" if route["problems"] else "")
    )


def _states(route: Mapping[str, Any]) -> str:
    states = ", ".join(f"{count} {name}" for name, count in route["instances"].items() if count)
    return ", ".join(filter(None, [states, "rolling" if route["rolling"] else ""])) or "none"


def instanceRows(instances: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """
    A table of instances.
    """
    rows = [["INSTANCE", "ROUTE", "STATE", "SPAWN", "BUSY", "SERVED", "AGE", "MEMORY", "CPU"]]
    for each in instances:
        notes = [
            each["state"],
            "newest" if each["newest"] else "",
            "retired" if each["retired"] else "",
            "" if each["responsive"] else "unresponsive",
        ]
        rows.append(
            [
                each["ticket"],
                each["route"],
                ", ".join(filter(None, notes)),
                each["spawn"] or "-",
                f"{each['in_flight']}/{each['capacity']}",
                str(each["exchanges"] - each["in_flight"]),
                duration(each["age"]),
                "-" if each["memory"] is None else size(each["memory"]),
                "-" if each["cpu"] is None else duration(each["cpu"]),
            ]
        )
    return rows


def changeLines(done: Mapping[str, Any]) -> Iterator[str]:
    """
    What a reload has changed.
    """
    for name, changed in done.items():
        if changed and name != "errors":
            things = changed if isinstance(changed, (list, dict)) else [changed]
            yield f"{name}: {', '.join(printable(str(each)) for each in things)}"


def certificateRows(
    certificates: Sequence[Mapping[str, Any]], left: Sequence[float]
) -> list[list[str]]:
    """
    A table of certificates.

    @param left: the seconds that each is still valid.
    """
    rows = [["EXPIRES", "IN", "NAMES", "FILE"]]
    for each, seconds in zip(certificates, left, strict=True):
        names = [*each["names"], *(["all others"] if each["default"] else [])]
        soon = duration(seconds) if seconds > 0 else "expired"
        rows.append([each["not_after"][:10], soon, ", ".join(names) or "none", each["file"]])
    return rows


def eventLine(event: Mapping[str, Any], moment: str) -> str:
    """
    An event as a line of a log.

    @param moment: when it happened, as text.
    """
    if event["event"] == "missed":
        return f"{number(event['count'], 'event')} came too fast to be shown"
    return f"{moment} {event['level']:5} {printable(event['text'])}"
