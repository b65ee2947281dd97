"""
Plot of the latencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.http.servers import BenchError

__all__ = ["draw"]

# Styles as in the other plots: brxy in red. The simulation is no contender.
_STYLES: Mapping[str, tuple[str, str]] = {
    "one queue, simulated": ("black", ":"),
    "brxy, app:": ("#c8102e", "-"),
    "brxy, nodes": ("#c8102e", "--"),
    "HAProxy, leastconn, maxconn 1": ("#1f4e79", "-"),
    "nginx, least_conn": ("#2e8b57", "-"),
    "nginx, round robin": ("#2e8b57", "--"),
}

_SIZE, _RESOLUTION = (9.0, 5.0), 110

# This many of the slowest requests are left out, because they are random.
_LUCK = 10


def draw(windows: Mapping[str, Sequence[Sequence[float]]], file: Path) -> None:
    """
    Plot the share of requests that took longer, for each time.

    @param windows: the latencies of each contender, by round, sorted, in
        seconds.
    @raise BenchError: it can't be written.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title("How many requests took longer? (further left is better)")
    for name, rounds in windows.items():
        # All rounds have the same number of requests. The median ignores a round that was
        # disturbed.
        latencies = [1000 * median(same) for same in zip(*rounds, strict=True)]
        colour, style = _STYLES[name]
        total = len(latencies)
        shares = [1 - place / total for place in range(total)]
        kept = slice(None, -_LUCK)
        axes.plot(latencies[kept], shares[kept], style, color=colour, label=name, linewidth=2)
    _axes(axes)
    try:
        figure.savefig(file, dpi=_RESOLUTION)
    except OSError as error:
        raise BenchError(f"can't write {file}: {error.strerror}") from None


def _axes(axes: Axes) -> None:
    """
    Remove the lines that the plot does not need.
    """
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left=1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(
        [1, 0.5, 0.1, 0.01, 0.001], ["all", "half", "1 in 10", "1 in 100", "1 in 1000"]
    )
    axes.set_yticks([], minor=True)
    axes.set_xlabel("milliseconds from when a request came until it was answered")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd")
    axes.legend(frameon=False, loc="lower left")
