"""
Makes the reference of metrics, C{doc/metrics.rst}, and the dashboard for Grafana,
C{examples/grafana/brxy.json}, from the table of metrics.
C{python -m brxy.test.house.metricspage} writes both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent, wrap
from typing import Any

import brxy
from brxy.edge.metrics import edgetable, instancetable, requesttable
from brxy.edge.metrics.metric import (
    COLD_STARTS,
    HISTOGRAM,
    OVERVIEW,
    ROUTE,
    Metric,
    Panel,
)
from brxy.edge.metrics.table import METRICS

__all__ = ["BOARD", "COMMAND", "PAGE", "boardText", "pageText", "queries"]

_ROOT = Path(brxy.__file__).parents[1]

PAGE = _ROOT / "doc" / "metrics.rst"
BOARD = _ROOT / "examples" / "grafana" / "brxy.json"

#: Writes both.
COMMAND = "python -m brxy.test.house.metricspage"

_HEAD = """
.. Made by "python -m brxy.test.house.metricspage" from the table of metrics in
   brxy/edge/metrics. Change it there.

Metrics
=======

With :option:`--metrics <brxy-edge --metrics>` the edge counts what it does, for Prometheus and all
that reads its format. ``GET /metrics`` of the :doc:`admin API <admin>` returns the metrics, in the
text format of Prometheus or, to clients that prefer it, as OpenMetrics 1.0.

Prometheus cannot read from a Unix socket, so give the edge a port on loopback and a token::

    twistd -n brxy-edge --metrics --admin 127.0.0.1:9900 \\
        --admin-token-file /var/lib/brxy/admin-token \\
        --spawn "app: route=shop.example.com -- /srv/shop/run --port {port}"

and Prometheus the same token, in its ``prometheus.yml``:

.. code-block:: yaml

    scrape_configs:
      - job_name: brxy
        authorization:
          credentials_file: /var/lib/brxy/admin-token
        static_configs:
          - targets: ["127.0.0.1:9900"]

This is how to look at them without Prometheus::

    curl -H "Authorization: Bearer $(cat /var/lib/brxy/admin-token)" \\
        http://127.0.0.1:9900/metrics

After five requests, the first of which started the app, the answer has among others:

.. code-block:: text

    brxy_requests_total{route="shop.example.com",code="2xx",start="cold"} 1
    brxy_requests_total{route="shop.example.com",code="2xx",start="warm"} 4
    brxy_hold_seconds_sum{route="shop.example.com",outcome="served"} 0.19379061100335093
    brxy_hold_seconds_count{route="shop.example.com",outcome="served"} 1
    brxy_instances{route="shop.example.com",spawner="app",state="ready"} 1
    brxy_capacity{route="shop.example.com"} 1
    brxy_starts_total{route="shop.example.com",spawner="app",outcome="ready"} 1

.. _metrics-labels:

Labels
------

The number of series does not grow with what clients send. ``route`` is the name of a route if the
settings name it: by ``--route``, ``--tcp``, ``--default-route`` or the ``route=`` of a
``--spawn``. A host that only a pattern covers counts for the pattern: ``route="*.example.com"``.
All others count for ``route="_other"``, and so do named routes beyond
:option:`--metrics-routes <brxy-edge --metrics-routes>`. No label names an instance.

``spawner`` is the name of a ``--spawn``, see the key ``name=`` of :doc:`spawn`. Instances that
the edge has not ordered have ``spawner="_own"``.
"""

_TAIL = """
Dashboard
---------

``examples/grafana/brxy.json`` is a dashboard for Grafana with plots of all these metrics, in the
rows "Overview", "Cold starts" and "Route". To use it, choose "Import dashboard" in Grafana.
"""

_GROUPS = {
    "Requests": requesttable.ALL,
    "Instances": instancetable.ALL,
    "The edge": edgetable.ALL,
}


def pageText() -> str:
    """
    @return: the text of the page.
    """
    blocks = [_HEAD]
    for group, metrics in _GROUPS.items():
        blocks.append(f"{group}\n{'-' * len(group)}")
        blocks += [_described(each) for each in metrics]
    return "\n\n".join(each.strip("\n") for each in (*blocks, _TAIL)) + "\n"


def _described(metric: Metric) -> str:
    labels = ", ".join(f"``{each}``" for each in metric.labels)
    kind = f"*{metric.kind}*" + (f", by {labels}" if labels else "")
    texts = [metric.help, metric.detail]
    if metric.kind == HISTOGRAM:
        limits = ", ".join(f"{each:g}" for each in metric.buckets)
        texts.append(f"Buckets: {limits} s.")
    parts = [kind, *(_filled(each) for each in texts if each)]
    parts += [
        "\n".join(
            _filled(f'* ``{label}="{value}"``: {text}', "  ") for value, text in known.items()
        )
        for label, known in metric.values.items()
    ]
    return f"``{metric.name}``\n{indent(chr(10).join(_apart(parts)), '    ')}"


def _apart(parts: list[str]) -> Iterator[str]:
    for number, each in enumerate(parts):
        if number:
            yield ""
        yield each


def _filled(text: str, further: str = "") -> str:
    return "\n".join(
        wrap(text, 92, break_long_words=False, break_on_hyphens=False, subsequent_indent=further)
    )


# The dashboard

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

# Of the 24 columns of a dashboard.
_WIDTH = 8
_HEIGHT = 8


def queries() -> Iterator[tuple[Metric, Panel, str]]:
    """
    @return: each panel with its metric and its query in PromQL.
    """
    for metric in METRICS:
        for panel in metric.panels:
            text = panel.query.replace("$metric", metric.name)
            yield metric, panel, text.replace("$only", 'job="$job",route=~"$route"')


def boardText() -> str:
    """
    @return: the text of the dashboard.
    """
    return json.dumps(_board(), indent=2, ensure_ascii=False) + "\n"


def _board() -> dict[str, Any]:
    return {
        "title": "brxy",
        "uid": "brxy",
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "tags": ["brxy"],
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }


def _variables() -> Iterator[dict[str, Any]]:
    yield {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}
    for name, query in (
        ("job", "label_values(brxy_build_info, job)"),
        ("route", 'label_values(brxy_instances{job="$job"}, route)'),
    ):
        several = name == "route"
        yield {
            "name": name,
            "label": name.capitalize(),
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "refresh": 2,
            "sort": 1,
            "multi": several,
            "includeAll": several,
            **(
                {"allValue": ".*", "current": {"text": "All", "value": "$__all"}}
                if several
                else {}
            ),
        }


def _panels() -> Iterator[dict[str, Any]]:
    number, top = 0, 0
    for row in (OVERVIEW, COLD_STARTS, ROUTE):
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": 24, "h": 1},
            "panels": [],
        }
        top += 1
        left = 0
        for metric, panel, query in queries():
            if panel.row != row:
                continue
            number += 1
            place = {"x": left, "y": top, "w": _WIDTH, "h": _HEIGHT}
            yield _plot(number, metric, panel, query, place)
            left += _WIDTH
            if left == 24:
                left, top = 0, top + _HEIGHT
        top += _HEIGHT if left else 0


def _plot(
    number: int, metric: Metric, panel: Panel, query: str, place: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": metric.help,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [
            {
                "refId": "A",
                "datasource": _SOURCE,
                "expr": query,
                "legendFormat": panel.legend,
                "editorMode": "code",
                "range": True,
            }
        ],
    }


if __name__ == "__main__":
    PAGE.write_text(pageText())
    BOARD.parent.mkdir(exist_ok=True)
    BOARD.write_text(boardText())
