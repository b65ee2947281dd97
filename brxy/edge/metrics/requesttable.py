"""
Metrics of requests.
"""

from __future__ import annotations

from brxy.edge.metrics.metric import (
    COLD_STARTS,
    COUNTER,
    HISTOGRAM,
    OVERVIEW,
    ROUTE,
    SECONDS,
    Metric,
    Panel,
)

__all__ = ["ALL", "APP_ERRORS", "DURATION", "HOLD", "OFFERS", "REQUESTS", "RETRIES"]

_START = {
    "warm": "it was not held",
    "queued": "it was held, while its route had a ready instance",
    "cold": "it was held, and its route had no ready instance",
}

REQUESTS = Metric(
    name="brxy_requests_total",
    kind=COUNTER,
    help="Requests and TCP connections that are over.",
    labels=("route", "code", "start"),
    values={
        "code": {
            "2xx": "and ``3xx`` and so on: the class of the status. With ``--metrics-codes`` it "
            "is the status itself. A client that left before its response began counts as 499",
            "none": "it is a TCP connection",
        },
        "start": _START,
    },
    panels=(
        Panel(
            row=OVERVIEW,
            title="Requests by start",
            query="sum by (start) (rate($metric{$only}[$__rate_interval]))",
            legend="{{start}}",
            unit="reqps",
        ),
        Panel(
            row=OVERVIEW,
            title="Share of errors (5xx)",
            query='sum(rate($metric{$only,code=~"5.*"}[$__rate_interval])) / '
            "sum(rate($metric{$only}[$__rate_interval]))",
            legend="5xx",
            unit="percentunit",
        ),
        Panel(
            row=ROUTE,
            title="Requests by status",
            query="sum by (route, code) (rate($metric{$only}[$__rate_interval]))",
            legend="{{route}} {{code}}",
            unit="reqps",
        ),
    ),
)

DURATION = Metric(
    name="brxy_request_duration_seconds",
    kind=HISTOGRAM,
    help="Time from the arrival of a request to the end of its response.",
    labels=("route", "start"),
    values={"start": _START},
    buckets=SECONDS,
    detail="A WebSocket or a TCP connection counts when it ends.",
    panels=(
        Panel(
            row=OVERVIEW,
            title="Duration of requests (p99)",
            query="histogram_quantile(0.99, sum by (le, start) "
            "(rate($metric_bucket{$only}[$__rate_interval])))",
            legend="{{start}}",
            unit="s",
        ),
        Panel(
            row=ROUTE,
            title="Duration of warm requests (p50)",
            query="histogram_quantile(0.5, sum by (le, route) "
            '(rate($metric_bucket{$only,start="warm"}[$__rate_interval])))',
            legend="{{route}}",
            unit="s",
        ),
    ),
)

HOLD = Metric(
    name="brxy_hold_seconds",
    kind=HISTOGRAM,
    help="Time that the edge held a request, until its outcome.",
    labels=("route", "outcome"),
    values={
        "outcome": {
            "served": "an instance took it",
            "timeout": "it was held for ``--hold-timeout``",
            "client_gone": "its client left before",
            "refused": "it was refused, because of a limit or because the edge is stopping",
            "failed": "no instance can be started",
        }
    },
    buckets=SECONDS,
    detail="Requests that were not held are not counted.",
    panels=(
        Panel(
            row=COLD_STARTS,
            title="Time held (p50)",
            query="histogram_quantile(0.5, sum by (le, route) "
            '(rate($metric_bucket{$only,outcome="served"}[$__rate_interval])))',
            legend="{{route}}",
            unit="s",
        ),
        Panel(
            row=COLD_STARTS,
            title="Held requests by outcome",
            query="sum by (outcome) (rate($metric_count{$only}[$__rate_interval]))",
            legend="{{outcome}}",
            unit="reqps",
        ),
    ),
)

OFFERS = Metric(
    name="brxy_offers_total",
    kind=COUNTER,
    help="How many times a request was given to an instance.",
    labels=("route", "outcome"),
    values={
        "outcome": {
            "accepted": "the instance took it",
            "refused": "the app got nothing of it, since it could not be reached or was full",
            "lost": "the app, its node or the connection to it broke off",
        }
    },
    panels=(
        Panel(
            row=ROUTE,
            title="Offers",
            query="sum by (route, outcome) (rate($metric{$only}[$__rate_interval]))",
            legend="{{route}} {{outcome}}",
            unit="ops",
        ),
    ),
)

RETRIES = Metric(
    name="brxy_retries_total",
    kind=COUNTER,
    help="How many times a request was given to an instance again, after the first time.",
    labels=("route", "reason"),
    values={
        "reason": {
            "refused": "an instance could not reach its app",
            "full": "an instance with a learned capacity turned out to be full",
            "lost": "the app, its node or the connection to it broke off, and the request could "
            "be sent again",
        }
    },
    panels=(
        Panel(
            row=ROUTE,
            title="Retries",
            query="sum by (route, reason) (rate($metric{$only}[$__rate_interval]))",
            legend="{{route}} {{reason}}",
            unit="ops",
        ),
    ),
)

APP_ERRORS = Metric(
    name="brxy_app_errors_total",
    kind=COUNTER,
    help="Failures of apps to respond.",
    labels=("route", "reason"),
    values={
        "reason": {
            "lost": "the connection to the app ended before its response was complete",
            "bad_response": "the app sent what is no HTTP response",
            "unresponsive": "an instance took a request and did not accept it",
        }
    },
    panels=(
        Panel(
            row=ROUTE,
            title="Failures of apps",
            query="sum by (route, reason) (rate($metric{$only}[$__rate_interval]))",
            legend="{{route}} {{reason}}",
            unit="ops",
        ),
    ),
)

#: All of them.
ALL = (REQUESTS, DURATION, HOLD, OFFERS, RETRIES, APP_ERRORS)
