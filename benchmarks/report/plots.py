"""
Plots of the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.http.load import LOADS
from benchmarks.http.memory import Held
from benchmarks.report.figures import Row
from benchmarks.report.results import Results

__all__ = ["draw"]

# Each contender looks the same in all plots: brxy in red, others in other colours.
_COLOURS = {
    "direct": "#bbbbbb",
    "haproxy": "#1f4e79",
    "haproxy-haproxy": "#1f4e79",
    "nginx": "#2e8b57",
    "go": "#5bb5c5",
    "twistedweb": "#8c7aa9",
}
_OURS, _OURS_REACTOR = "#c8102e", "#f0a0a0"

# The references of CPU, with their titles.
_HOPS = {"haproxy": "one hop", "haproxy-haproxy": "two hops"}

_WIDTH = 9.0
_RESOLUTION = 110


def draw(results: Results, folder: Path) -> None:
    """
    Draw all plots for which there are figures: bench-http-*.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    loads = [load for load in results.loads if not LOADS[load].bulk]
    compared = {one.name for one in results.contenders if one.reference in _HOPS}
    rows = [row for load in loads for row in results.rows(load)]
    if any(row.ratio for row in rows if row.contender in compared):
        _save(_cpu(results, loads), folder / "bench-http-cpu.png")
    if loads:
        _save(_latency(results, loads), folder / "bench-http-latency.png")
    if "bulk" in results.loads:
        _save(_bulk(results), folder / "bench-http-bulk.png")
    if results.memory:
        _save(_memory(results), folder / "bench-http-memory.png")


def _save(figure: Figure, file: Path) -> None:
    """
    Write a plot to its file.
    """
    figure.savefig(file, dpi=_RESOLUTION)


def _colour(name: str) -> str:
    """
    @return: the colour of a contender.
    """
    return _COLOURS.get(name, _OURS_REACTOR if name.endswith("-reactor") else _OURS)


def _plain(axes: Axes, label: str) -> None:
    """
    Remove the lines that the plot does not need.

    @param label: of the horizontal axis.
    """
    axes.set_xlabel(label)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)


def _names(axes: Axes, names: Sequence[str]) -> None:
    """
    Label the rows, the first one at the top.
    """
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)


def _cpu(results: Results, loads: Sequence[str]) -> Figure:
    """
    Plot the CPU of a request as multiples of HAProxy's: one hop, and two.
    """
    figure = Figure(figsize=(_WIDTH + 2, 2.2 + 0.7 * len(loads)), layout="constrained")
    figure.suptitle("CPU of a request, as a multiple of HAProxy's (less is better)")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (reference, title) in zip(panels, _HOPS.items(), strict=True):
        for contender in results.contenders:
            if contender.reference == reference:
                _ratios(axes, results, contender.name, loads)
        axes.set_title(title)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}×")
        _plain(axes, "")
        if axes.collections:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, frameon=False)
    _names(panels[0], [LOADS[load].title for load in loads])
    return figure


def _ratios(axes: Axes, results: Results, name: str, loads: Sequence[str]) -> None:
    """
    Draw one dot for each load; those of brxy with their numbers.
    """
    found = [
        (place, row.ratio)
        for place, load in enumerate(loads)
        for row in results.rows(load)
        if row.contender == name and row.ratio is not None
    ]
    if not found:
        return
    places, ratios = zip(*found, strict=True)
    colour = _colour(name)
    axes.scatter(ratios, places, s=70, color=colour, label=results.titles[name], zorder=3)
    if colour == _OURS:
        for place, ratio in found:
            axes.annotate(
                f"{ratio:.1f}",
                (ratio, place),
                xytext=(0, 8),
                textcoords="offset points",
                ha="center",
                color=colour,
                weight="bold",
            )


def _bulk(results: Results) -> Figure:
    """
    Plot the CPU of a GiB, by process.
    """
    rows = [row for row in results.rows("bulk") if row.parts]
    figure, axes = _bars(
        "CPU seconds to pass on 1 GiB (less is better)",
        [results.titles[row.contender] for row in rows],
        [row.parts for row in rows],
        [_colour(row.contender) for row in rows],
        2,
    )
    _plain(axes, "seconds of CPU in user and kernel; for two hops of each process")
    return figure


def _memory(results: Results) -> Figure:
    """
    Plot the memory of a connection, by process.
    """
    held = sorted(results.memory, key=lambda one: one.kind != "idle")
    figure, axes = _bars(
        f"Memory of each of {held[0].connections:,} client connections (less is better)",
        [f"{results.titles[one.contender]}{_suffix(one)}" for one in held],
        [{part: size / 1024 for part, size in one.size.items()} for one in held],
        [_colour(one.contender) for one in held],
        1,
    )
    _plain(axes, "KiB")
    return figure


def _suffix(one: Held) -> str:
    """
    @return: the part of a title that describes the clients.
    """
    return "" if one.kind == "idle" else ", clients held"


def _bars(
    title: str,
    names: Sequence[str],
    parts: Sequence[Mapping[str, float]],
    colours: Sequence[str],
    digits: int,
) -> tuple[Figure, Axes]:
    """
    Draw one bar for each name, which consists of its parts, with their sum
    after it.
    """
    figure = Figure(figsize=(_WIDTH, 1.3 + 0.36 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    for place, (sizes, colour) in enumerate(zip(parts, colours, strict=True)):
        start = 0.0
        for size in sizes.values():
            axes.barh(place, size, left=start, color=colour, edgecolor="white", height=0.7)
            start += size
        axes.annotate(
            f"{start:.{digits}f}",
            (start, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )
    axes.margins(x=0.08)
    _names(axes, names)
    return figure, axes


def _latency(results: Results, loads: Sequence[str]) -> Figure:
    """
    Plot the latency from p50 to p99, for each contender.
    """
    contenders = [one.name for one in results.contenders if one.name in _measured(results, loads)]
    columns = min(3, len(loads))
    rows = -(-len(loads) // columns)
    size = (_WIDTH + 2, 0.4 + rows * (1.0 + 0.24 * len(contenders)))
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle("Time to an answer: from the median (dot) to p99 (end of the line)")
    panels = list(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat)
    for axes, load in zip(panels, loads, strict=False):
        axes.set_title(LOADS[load].title)
        for row in results.rows(load):
            _spread(axes, contenders.index(row.contender), row)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        _plain(axes, "ms")
        axes.tick_params(labelbottom=True)
        _names(axes, [results.titles[name] for name in contenders])
    for axes in panels[len(loads) :]:
        axes.set_visible(False)
    return figure


def _measured(results: Results, loads: Sequence[str]) -> set[str]:
    """
    @return: the contenders that have figures.
    """
    return {row.contender for load in loads for row in results.rows(load)}


def _spread(axes: Axes, place: int, row: Row) -> None:
    """
    Draw the median and p99 of one contender.
    """
    if row.p50 is None or row.p99 is None:
        return
    colour = _colour(row.contender)
    low, high = row.p50 * 1000, row.p99 * 1000
    axes.plot([low, high], [place, place], color=colour, linewidth=3, solid_capstyle="butt")
    axes.scatter([low], [place], s=55, color=colour, zorder=3)
