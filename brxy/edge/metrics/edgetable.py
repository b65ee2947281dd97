"""
Metrics of the edge itself.
"""

from __future__ import annotations

from brxy.edge.metrics.metric import COLD_STARTS, COUNTER, GAUGE, INFO, OVERVIEW, Metric, Panel

__all__ = ["ALL", "BUILD", "CLIENTS", "CPU", "LIMITS", "MEMORY", "STARTED", "WAKES_DENIED"]

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
ALL = (LIMITS, WAKES_DENIED, CLIENTS, BUILD, CPU, MEMORY, STARTED)
