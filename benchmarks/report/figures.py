"""
Figures that summarize the windows of a measurement.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from benchmarks.http.load import Load
from benchmarks.http.wrk import Outcome

__all__ = ["Row", "Window", "lowerQuartile", "summary"]


@frozen
class Window:
    """
    The measurement of one load on one contender.

    @ivar cpu: seconds of CPU that each of the contender's processes used.
    """

    load: Load
    round: int
    contender: str
    cpu: Mapping[str, float]
    outcome: Outcome

    def cost(self, part: str | None = None) -> float | None:
        """
        The cost of a unit of work: CPU µs for a request, or CPU s for a GiB if
        bytes count.

        @param part: in this process only, not in all of them.
        @return: nothing, if there is no process or no work was done.
        """
        spent = sum(self.cpu.values()) if part is None else self.cpu[part]
        done = self.outcome.bytes / 2**30 if self.load.bulk else self.outcome.requests / 1e6
        return spent / done if self.cpu and done else None


@frozen
class Row:
    """
    All windows of one contender under one load.

    @ivar quartile: a quarter of the windows cost less; CPU µs for a request, or
        s for a GiB.
    @ivar median: half of them cost less.
    @ivar parts: the median of each process.
    @ivar ratio: the cost over that of the reference in the same round, the
        median of the rounds.
    @ivar rate: requests in a second, or GiB if bytes count; median.
    @ivar p50: seconds, the median of the windows in which any request was done.
    @ivar p99: the same.
    """

    load: str
    contender: str
    quartile: float | None
    median: float | None
    parts: Mapping[str, float]
    ratio: float | None
    rate: float
    p50: float | None
    p99: float | None
    errors: int


def lowerQuartile(values: Sequence[float]) -> float:
    """
    @return: the value that a quarter of the values are below.
    """
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=4, method="inclusive")[0]


def _median(values: Iterable[float]) -> float | None:
    """
    @return: the median, if there are any values.
    """
    known = list(values)
    return statistics.median(known) if known else None


def summary(windows: Iterable[Window], references: Mapping[str, str | None]) -> list[Row]:
    """
    @return: one row for each contender under each load, in the order of their
        first windows.

    @param references: for each contender, the one that its cost is compared
        to.
    """
    groups: dict[tuple[str, str], list[Window]] = {}
    for window in windows:
        groups.setdefault((window.load.name, window.contender), []).append(window)
    rows = []
    for (load, contender), group in groups.items():
        others = groups.get((load, references.get(contender) or ""), [])
        rows.append(_row(group, _ratio(group, others)))
    return rows


def _ratio(group: Sequence[Window], others: Sequence[Window]) -> float | None:
    """
    @return: the median of a cost over another one in the same round.
    """
    theirs = {window.round: window.cost() for window in others}
    ratios = []
    for window in group:
        mine, reference = window.cost(), theirs.get(window.round)
        if mine and reference:
            ratios.append(mine / reference)
    return _median(ratios)


def _row(group: Sequence[Window], ratio: float | None) -> Row:
    """
    @return: the row of one contender under one load.
    """
    costs = [cost for window in group if (cost := window.cost()) is not None]
    parts = {}
    for part in group[0].cpu:
        values = [cost for window in group if (cost := window.cost(part)) is not None]
        if values:
            parts[part] = statistics.median(values)
    outcomes = [window.outcome for window in group]
    bulk = group[0].load.bulk
    return Row(
        load=group[0].load.name,
        contender=group[0].contender,
        quartile=lowerQuartile(costs) if costs else None,
        median=_median(costs),
        parts=parts,
        ratio=ratio,
        rate=statistics.median(
            (one.bytes / 2**30 if bulk else one.requests) / one.seconds for one in outcomes
        ),
        p50=_median(one.p50 for one in outcomes if one.requests),
        p99=_median(one.p99 for one in outcomes if one.requests),
        errors=sum(one.errors for one in outcomes),
    )
