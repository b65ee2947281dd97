"""
Text tables of the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.http.load import LOADS
from benchmarks.report.figures import Row
from benchmarks.report.results import Results

__all__ = ["report", "table"]

# This many kinds of system calls are named.
_KINDS = 5


def table(
    header: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)
) -> str:
    """
    @return: a table whose columns are as wide as needed.

    @param left: the columns that are aligned to the left; numbers are aligned
        to the right.
    """
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [header, *lines]
    )


def report(results: Results) -> str:
    """
    @return: all tables.
    """
    tables = [_loadTable(results, load) for load in results.loads]
    if results.calls:
        tables.append(_callTable(results))
    if results.memory:
        tables.append(_memoryTable(results))
    tables.append("\n".join(f"left out: {line}" for line in results.left_out))
    tables.append(", ".join(f"{name}: {value}" for name, value in results.machine.items()))
    return "\n\n".join(text for text in tables if text)


def _number(value: float | None, digits: int) -> str:
    """
    @return: a number, or a dash.
    """
    return "–" if value is None else f"{value:.{digits}f}"


def _milliseconds(seconds: float | None) -> str:
    """
    @return: milliseconds, from seconds.
    """
    return _number(None if seconds is None else seconds * 1000, 2)


def _sum(values: Iterable[float], digits: int) -> str:
    """
    @return: a sum with the part of each process.
    """
    return " + ".join(_number(value, digits) for value in values)


def _loadTable(results: Results, load: str) -> str:
    """
    @return: the table of all contenders under one load.
    """
    unit, rate = ("s/GiB", "GiB/s") if LOADS[load].bulk else ("µs/request", "requests/s")
    header = [load, f"CPU {unit}: q1", "median", "processes", "ratio", rate, "p50 ms", "p99 ms"]
    lines = [_loadLine(results, row) for row in results.rows(load)]
    return f"{LOADS[load].title}:\n" + table([*header, "errors"], lines)


def _loadLine(results: Results, row: Row) -> list[str]:
    """
    @return: the line of one of them.
    """
    bulk = LOADS[row.load].bulk
    digits = 2 if bulk else 1
    return [
        results.titles[row.contender],
        _number(row.quartile, digits),
        _number(row.median, digits),
        _sum(row.parts.values(), digits),
        _number(row.ratio, 2),
        _number(row.rate, digits if bulk else 0),
        _milliseconds(row.p50),
        _milliseconds(row.p99),
        str(row.errors),
    ]


def _callTable(results: Results) -> str:
    """
    @return: the table of system calls.
    """
    lines = []
    for one in results.calls:
        most = list(one.each.items())[:_KINDS]
        kinds = ", ".join(f"{name} {count:.2f}" for name, count in most)
        name = f"{results.titles[one.contender]}: {one.part}"
        lines.append([name, f"{sum(one.each.values()):.2f}", kinds])
    load = LOADS[results.calls[0].load]
    return f"System calls of a request, {load.title}:\n" + table(
        ["", "all", "the most frequent"], lines, left=(0, 2)
    )


def _memoryTable(results: Results) -> str:
    """
    @return: the table of the memory of connections.
    """
    lines = []
    for one in results.memory:
        sizes = [size / 1024 for size in one.size.values()]
        title = results.titles[one.contender]
        lines.append([title, one.kind, _sum(sizes, 2), _number(sum(sizes), 2)])
    count = results.memory[0].connections
    return f"KiB of memory for each of {count} connections:\n" + table(
        ["", "clients", "processes", "all"], lines, left=(0, 1)
    )
