"""
Metrics of the edge itself.
"""

from __future__ import annotations

from brxy.edge.metrics.metric import (
    COLD_STARTS,
    COUNTER,
    GAUGE,
    HISTOGRAM,
    INFO,
    OVERVIEW,
    Metric,
    Panel,
)

__all__ = [
    "ALL",
    "BUILD",
    "CLIENTS",
    "CPU",
    "LIMITS",
    "MEMORY",
    "REJECTED",
    "RELOADED",
    "RELOADED_AT",
    "SPANS_DROPPED",
    "STARTED",
    "TURN",
    "WAKES_DENIED",
]

LIMITS = Metric(
    name="brxy_limit_total",
    kind=COUNTER,
    help="How many times a limit was reached.",
    labels=("limit",),
    values={
        "limit": {
            "max-held": "a request was refused because of ``--max-held`` or ``--max-held-total``",
            "max-held-per-address": "a request was refused because of ``--max-held-per-address``",
            "hold-timeout": "a request was refused after ``--hold-timeout``",
        }
    },
    panels=(
        Panel(
            row=OVERVIEW,
            title="Limits reached",
            query='sum by (limit) (rate($metric{job="$job"}[$__rate_interval]))',
            legend="{{limit}}",
            unit="ops",
        ),
    ),
)

WAKES_DENIED = Metric(
    name="brxy_wake_denied_total",
    kind=COUNTER,
    help="Requests for which no app of an unnamed route was started.",
    labels=("reason",),
    values={
        "reason": {
            "max-routes": "there were as many routes as ``--max-routes`` allows",
            "wake-rate": "the client had started as many as ``--wake-burst`` and "
            "``--wake-rate`` allow",
        }
    },
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Denied wakes",
            query='sum by (reason) (rate($metric{job="$job"}[$__rate_interval]))',
            legend="{{reason}}",
            unit="ops",
        ),
    ),
)

CLIENTS = Metric(
    name="brxy_clients",
    kind=GAUGE,
    help="Connections of clients that are open.",
    panels=(
        Panel(row=OVERVIEW, title="Clients", query='sum($metric{job="$job"})', legend="clients"),
    ),
)

TURN = Metric(
    name="brxy_turn_seconds",
    kind=HISTOGRAM,
    help="How late a timer of the edge was, measured once a second.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
    detail="The edge serves all clients in turns of one loop. A timer that is late shows a turn "
    "that was long, and for this long all clients had to wait.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Turns of the edge (p99)",
            query="histogram_quantile(0.99, sum by (le) "
            '(rate($metric_bucket{job="$job"}[$__rate_interval])))',
            legend="p99",
            unit="s",
        ),
    ),
)

RELOADED = Metric(
    name="brxy_config_last_reload_success",
    kind=GAUGE,
    help="Whether all could be used that the last reload has read, 1 or 0.",
    detail="It is 1 before the first reload.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Last reload succeeded",
            query='min($metric{job="$job"})',
            legend="success",
        ),
    ),
)

RELOADED_AT = Metric(
    name="brxy_config_last_reload_timestamp_seconds",
    kind=GAUGE,
    help="When the edge was last reloaded, or else started, in seconds since 1970.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Since the last reload",
            query='time() - max($metric{job="$job"})',
            legend="time",
            unit="s",
        ),
    ),
)

SPANS_DROPPED = Metric(
    name="brxy_spans_dropped_total",
    kind=COUNTER,
    help="Spans that no collector got, because it did not take them, or not in time.",
    detail="See :doc:`traces`.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Dropped spans",
            query='sum(rate($metric{job="$job"}[$__rate_interval]))',
            legend="spans",
            unit="ops",
        ),
    ),
)

REJECTED = Metric(
    name="brxy_config_files_rejected",
    kind=GAUGE,
    help="Whether the last reload could not use a configuration file, 1 or 0.",
    labels=("file",),
    detail="A file has a series from the first time on that it could not be used; what it had "
    "before still holds. After the first 100 files, all others have the label ``_other``.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Rejected configuration files",
            query='sum by (file) ($metric{job="$job"}) > 0',
            legend="{{file}}",
        ),
    ),
)

BUILD = Metric(
    name="brxy_build_info",
    kind=INFO,
    help="The version of brxy and of Python.",
    labels=("version", "python"),
    panels=(
        Panel(
            row=OVERVIEW,
            title="Version",
            query='sum by (version) ($metric{job="$job"})',
            legend="{{version}}",
        ),
    ),
)

CPU = Metric(
    name="process_cpu_seconds_total",
    kind=COUNTER,
    help="CPU time that the edge's process has used.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="CPU of the edge",
            query='rate($metric{job="$job"}[$__rate_interval])',
            legend="CPU",
            unit="percentunit",
        ),
    ),
)

MEMORY = Metric(
    name="process_resident_memory_bytes",
    kind=GAUGE,
    help="Memory that the edge's process has in use.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Memory of the edge",
            query='$metric{job="$job"}',
            legend="memory",
            unit="bytes",
        ),
    ),
)

STARTED = Metric(
    name="process_start_time_seconds",
    kind=GAUGE,
    help="When the edge's process was started, in seconds since 1970.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Uptime",
            query='time() - $metric{job="$job"}',
            legend="uptime",
            unit="s",
        ),
    ),
)

#: All of them.
ALL = (
    LIMITS,
    WAKES_DENIED,
    CLIENTS,
    TURN,
    RELOADED,
    RELOADED_AT,
    SPANS_DROPPED,
    REJECTED,
    BUILD,
    CPU,
    MEMORY,
    STARTED,
)
