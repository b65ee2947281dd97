"""
Settings of an edge: its metrics and traces.
"""

from __future__ import annotations

from brxy.program.fields import FLAG, POSITIVE, Setting, count

__all__ = ["METRICS", "TRACES"]

_METRICS = "Metrics"

METRICS = (
    Setting(
        name="metrics",
        group=_METRICS,
        kind=FLAG,
        help="Count requests and instances for Prometheus.",
        field="metrics.on",
        detail="""
        The metrics are at ``/metrics`` of the admin port.
        """,
        see=":doc:`metrics`",
    ),
    Setting(
        name="metrics-routes",
        group=_METRICS,
        kind=count("routes"),
        help="How many routes have metrics of their own at most.",
        field="metrics.routes",
        default="1000",
        detail="""
        Only routes that the settings name have metrics of their own. Those that are used first
        have them; further ones are added up as the route ``_other``.
        """,
        see=":ref:`metrics-labels`",
    ),
    Setting(
        name="metrics-codes",
        group=_METRICS,
        kind=FLAG,
        help="Count requests by their exact status, instead of its class.",
        field="metrics.codes",
        see=":doc:`metrics`",
    ),
)

TRACES = (
    Setting(
        name="trace-slow",
        group="Traces",
        kind=POSITIVE,
        help="Export the trace of each request whose response has not begun after this time.",
        field="trace_slow",
        default="5",
        detail="""
        Traces are exported if the variables of OpenTelemetry in the edge's environment name a
        collector. These also say which share of the traces is exported; the traces of slow
        requests, cold starts and failures always are.
        """,
        see=":doc:`traces`",
    ),
)
