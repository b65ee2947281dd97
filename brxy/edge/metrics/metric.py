"""
The declaration of a metric as data.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

__all__ = [
    "COLD_STARTS",
    "COUNTER",
    "GAUGE",
    "HISTOGRAM",
    "INFO",
    "LONG_SECONDS",
    "OTHER",
    "OVERVIEW",
    "OWN",
    "ROUTE",
    "SECONDS",
    "Metric",
    "Panel",
]

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"
#: A gauge that is always 1: its labels are what it says.
INFO = "info"

#: The route of everything that has no label of its own.
OTHER = "_other"

#: The spawner of instances that came by themselves.
OWN = "_own"

#: The rows of the dashboard for Grafana.
OVERVIEW = "Overview"
COLD_STARTS = "Cold starts"
ROUTE = "Route"

#: The buckets of times: a cold start may take as long as C{--start-timeout}.
LONG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SECONDS = (0.005, 0.01, 0.025, *LONG_SECONDS)


@frozen(kw_only=True)
class Panel:
    """
    One plot of the dashboard for Grafana.

    @ivar row: the heading it stands under.
    @ivar title: its own heading.
    @ivar query: in PromQL; C{$metric} stands for the name of the metric, and C{$only} for
        the selection of routes.
    @ivar legend: of each line, with the labels in double braces.
    @ivar unit: of the values, as Grafana names it.
    """

    row: str
    title: str
    query: str
    legend: str
    unit: str = "short"


@frozen(kw_only=True)
class Metric:
    """
    One metric.

    @ivar name: as it stands in the exposition.
    @ivar kind: L{COUNTER}, L{GAUGE}, L{HISTOGRAM} or L{INFO}.
    @ivar help: what it is, in one sentence of plain text.
    @ivar labels: the names of its labels.
    @ivar values: what the values of labels mean, by label and value; only of labels with a
        fixed set of values.
    @ivar buckets: of a histogram, the upper limits, in rising order and without infinity.
    @ivar detail: what else there is to know, as reST.
    @ivar panels: its plots in the dashboard for Grafana.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = {}
    buckets: tuple[float, ...] = ()
    detail: str = ""
    panels: tuple[Panel, ...] = ()
