"""
The values of one metric, by its labels.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from brxy.edge.metrics.metric import Metric

__all__ = ["Distribution", "Family", "Histogram", "Labels", "Numbers"]

#: The values of the labels of one series, in the order of the metric's declaration.
Labels = tuple[str, ...]


class Numbers:
    """
    A counter or a gauge.

    @ivar metric: its declaration.
    @ivar series: the value of each series.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.series: dict[Labels, float] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """
        Add to a series.
        """
        self.series[labels] = self.series.get(labels, 0) + amount

    def set(self, *labels: str, value: float) -> None:
        """
        Set a series.
        """
        self.series[labels] = value


class Distribution:
    """
    How observed values are distributed: one series of a histogram.

    @ivar counts: how many values are at most each limit, and above the one before it; the
        last are those above all limits.
    @ivar total: the sum of the values.
    @ivar text: the series as it was rendered; C{b""} if it has changed since.
    @ivar exemplars: what OpenMetrics shows with a bucket, by its index; L{None} for nothing.
    """

    __slots__ = ("_limits", "counts", "exemplars", "text", "total")

    def __init__(self, limits: Sequence[float]) -> None:
        self._limits = limits
        self.counts = [0] * (len(limits) + 1)
        self.total = 0.0
        self.text = b""
        self.exemplars: dict[int, bytes] | None = None

    def observe(self, value: float) -> None:
        """
        A value was observed.
        """
        limits = self._limits
        self.counts[0 if value <= limits[0] else bisect_left(limits, value)] += 1
        self.total += value
        self.text = b""

    def exemplify(self, value: float, trace_id: str, moment: float) -> None:
        """
        Show the trace that a value came from with its bucket.

        @param moment: when that was, in seconds since 1970.
        """
        exemplars = self.exemplars = self.exemplars or {}
        text = f'# {{trace_id="{trace_id}"}} {value:.6f} {moment:.3f}'
        exemplars[bisect_left(self._limits, value)] = text.encode("ascii")


class Histogram:
    """
    The distributions of one metric.

    @ivar metric: its declaration.
    @ivar series: the distribution of each series.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.series: dict[Labels, Distribution] = {}

    def of(self, *labels: str) -> Distribution:
        """
        The distribution of a series, which may be new.
        """
        found = self.series.get(labels)
        if found is None:
            found = self.series[labels] = Distribution(self.metric.buckets)
        return found


#: A metric with its values, as it is rendered.
Family = tuple[Metric, Mapping[Labels, "float | Distribution"]]
