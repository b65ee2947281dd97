"""
Metrics of instances.
"""

from __future__ import annotations

from brxy.edge.metrics.metric import (
    COLD_STARTS,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    LONG_SECONDS,
    OVERVIEW,
    ROUTE,
    Metric,
    Panel,
)

__all__ = [
    "ALL",
    "BREAKER",
    "CAPACITY",
    "HELD",
    "INSTANCES",
    "INSTANCE_SECONDS",
    "IN_FLIGHT",
    "STARTS",
    "START_SECONDS",
    "STOPS",
]

INSTANCES = Metric(
    name="brxy_instances",
    kind=GAUGE,
    help="Instances that exist now.",
    labels=("route", "spawner", "state"),
    values={
        "state": {
            "ordered": "it is starting",
            "connected": "its node has dialled in, and its app is not ready",
            "ready": "it takes requests",
            "draining": "it finishes its requests and ends",
        }
    },
    panels=(
        Panel(
            row=OVERVIEW,
            title="Instances by state",
            query="sum by (state) ($metric{$only})",
            legend="{{state}}",
        ),
    ),
)

CAPACITY = Metric(
    name="brxy_capacity",
    kind=GAUGE,
    help="Exchanges that the ready instances take at once.",
    labels=("route",),
    panels=(
        Panel(
            row=ROUTE,
            title="Capacity",
            query="sum by (route) ($metric{$only})",
            legend="{{route}}",
        ),
    ),
)

IN_FLIGHT = Metric(
    name="brxy_in_flight",
    kind=GAUGE,
    help="Exchanges that instances have now.",
    labels=("route",),
    panels=(
        Panel(
            row=ROUTE,
            title="In flight",
            query="sum by (route) ($metric{$only})",
            legend="{{route}}",
        ),
    ),
)

HELD = Metric(
    name="brxy_held",
    kind=GAUGE,
    help="Exchanges that wait for an instance now.",
    labels=("route",),
    panels=(
        Panel(
            row=OVERVIEW,
            title="Held",
            query="sum by (route) ($metric{$only})",
            legend="{{route}}",
        ),
    ),
)

STARTS = Metric(
    name="brxy_starts_total",
    kind=COUNTER,
    help="Starts of instances that the edge ordered, by their outcome.",
    labels=("route", "spawner", "outcome"),
    values={
        "outcome": {
            "ready": "it became ready",
            "failed": "the spawner could not begin to start it",
            "exit": "it ended before it was ready",
            "timeout": "it was not ready within ``--start-timeout``",
            "given_up": "the edge ended it before it was ready, since it was not needed any more",
        }
    },
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Starts by outcome",
            query="sum by (outcome) (increase($metric{$only}[$__rate_interval]))",
            legend="{{outcome}}",
        ),
    ),
)

START_SECONDS = Metric(
    name="brxy_start_seconds",
    kind=HISTOGRAM,
    help="Time that the phases of a start took, of instances that became ready.",
    labels=("route", "spawner", "phase"),
    values={
        "phase": {
            "order": "from the decision until the spawner got the order",
            "boot": "from there until its node dialled in, or without a node until it was ready",
            "ready": "from there until the instance took requests",
            "total": "all three",
        }
    },
    buckets=LONG_SECONDS,
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Start of an instance (p50)",
            query="histogram_quantile(0.5, sum by (le, route) "
            '(rate($metric_bucket{$only,phase="total"}[$__rate_interval])))',
            legend="{{route}}",
            unit="s",
        ),
        Panel(
            row=COLD_STARTS,
            title="Mean time of each phase",
            query="sum by (phase) (rate($metric_sum{$only}[$__rate_interval])) / "
            "sum by (phase) (rate($metric_count{$only}[$__rate_interval]))",
            legend="{{phase}}",
            unit="s",
        ),
    ),
)

STOPS = Metric(
    name="brxy_stops_total",
    kind=COUNTER,
    help="Ends of instances that had been ready, by their reason.",
    labels=("route", "spawner", "reason"),
    values={
        "reason": {
            "idle": "it drained by itself: it was idle, or it was stopped from outside",
            "retired": "the edge retired it: a roll, or another route needed its place",
            "exit": "it ended without a warning: it crashed, or its connection was lost",
            "killed": "the edge gave it up",
        }
    },
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Stops by reason",
            query="sum by (reason) (increase($metric{$only}[$__rate_interval]))",
            legend="{{reason}}",
        ),
    ),
)

INSTANCE_SECONDS = Metric(
    name="brxy_instance_seconds_total",
    kind=COUNTER,
    help="Time that instances have existed, from their order until their end, all added up.",
    labels=("route", "spawner"),
    detail="This is what the apps cost: its rate is the mean number of instances.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Mean number of instances",
            query="sum by (route) (rate($metric{$only}[$__rate_interval]))",
            legend="{{route}}",
        ),
    ),
)

BREAKER = Metric(
    name="brxy_breaker_open",
    kind=GAUGE,
    help="How many breakers are open: starts keep failing, and the edge pauses between them.",
    labels=("route", "spawner"),
    detail="It is 0 or 1 for a route that has its own label.",
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Open breakers",
            query="sum by (route, spawner) ($metric{$only}) > 0",
            legend="{{route}} {{spawner}}",
        ),
    ),
)

#: All of them.
ALL = (
    INSTANCES,
    CAPACITY,
    IN_FLIGHT,
    HELD,
    STARTS,
    START_SECONDS,
    STOPS,
    INSTANCE_SECONDS,
    BREAKER,
)
