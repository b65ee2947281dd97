"""
Metrics as text: Prometheus 0.0.4 and OpenMetrics 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from attrs import frozen

from brxy.edge.metrics.metric import COUNTER, GAUGE, INFO, Metric
from brxy.edge.metrics.series import Distribution, Family, Labels

__all__ = ["OPEN_METRICS", "PROMETHEUS", "Format", "Renderer", "chosen"]

# Stands for the labels in a template.
_PLACE = "\0"

# Series in one piece.
_BATCH = 50


@frozen
class Format:
    """
    A format of the exposition.

    @ivar media: its media type.
    @ivar content_type: the value of C{Content-Type}.
    @ivar is_open: it is OpenMetrics.
    """

    media: str
    content_type: str
    is_open: bool


PROMETHEUS = Format("text/plain", "text/plain; version=0.0.4; charset=utf-8", False)
OPEN_METRICS = Format(
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
    True,
)


def chosen(accept: str) -> Format:
    """
    The format that a client prefers.

    @param accept: the value of its C{Accept}; may be empty.
    """
    weights = {OPEN_METRICS.media: 0.0, PROMETHEUS.media: 0.0}
    for each in accept.lower().split(","):
        media, *parameters = (part.strip() for part in each.split(";"))
        values = dict(part.partition("=")[::2] for part in parameters)
        if media in weights and values.get("version", "1.0.0") in ("1.0.0", "0.0.4"):
            weights[media] = max(weights[media], _weight(values.get("q", "1")))
    is_open = weights[OPEN_METRICS.media] > weights[PROMETHEUS.media]
    return OPEN_METRICS if is_open else PROMETHEUS


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class Renderer:
    """
    Renders metrics.  A scrape may have a hundred thousand lines, of which few have changed
    since the one before: what stays the same is kept.
    """

    def __init__(self) -> None:
        # The labels of each series as text, by the name of its metric.
        self._pairs: dict[str, dict[Labels, str]] = {}
        # What each piece had and how it was rendered, in their order, by the name of the metric.
        self._pieces: dict[str, list[tuple[list[tuple[Labels, float]], bytes]]] = {}

    def render(self, families: Iterable[Family], form: Format) -> Iterator[bytes]:
        """
        The text in pieces: after each, something else may be done.
        """
        for metric, series in families:
            yield _head(metric, form).encode()
            # Series may be added before all are rendered.
            found: list[Any] = list(series.items())
            batches = [found[at : at + _BATCH] for at in range(0, len(found), _BATCH)]
            if metric.buckets:
                yield from self._distributions(metric, batches, form)
            else:
                yield from self._numbers(metric, batches)
        if form.is_open:
            yield b"# EOF\n"

    def _numbers(
        self, metric: Metric, batches: list[list[tuple[Labels, float]]]
    ) -> Iterator[bytes]:
        pairs = self._pairs.setdefault(metric.name, {})
        pieces = self._pieces.setdefault(metric.name, [])
        del pieces[len(batches) :]
        for at, batch in enumerate(batches):
            if at == len(pieces) or pieces[at][0] != batch:
                lines = [_line(metric, pairs, labels, value) for labels, value in batch]
                pieces[at : at + 1] = [(batch, b"".join(lines))]
            yield pieces[at][1]

    def _distributions(
        self, metric: Metric, batches: list[list[tuple[Labels, Distribution]]], form: Format
    ) -> Iterator[bytes]:
        pairs, template = self._pairs.setdefault(metric.name, {}), _template(metric)
        for batch in batches:
            pieces = [
                value.text or _lines(metric, template, pairs, labels, value)
                for labels, value in batch
            ]
            if form.is_open:
                pieces = [
                    _exemplified(text, value)
                    for text, (_, value) in zip(pieces, batch, strict=True)
                ]
            yield b"".join(pieces)


def _pairsOf(metric: Metric, pairs: dict[Labels, str], labels: Labels) -> str:
    found = pairs.get(labels)
    if found is None:
        found = pairs[labels] = _rendered(metric.labels, labels)
    return found


def _line(metric: Metric, pairs: dict[Labels, str], labels: Labels, value: float) -> bytes:
    if not labels:
        return f"{metric.name} {_number(value)}\n".encode()
    text = pairs.get(labels) or _pairsOf(metric, pairs, labels)
    return f"{metric.name}{{{text}}} {_number(value)}\n".encode()


def _lines(
    metric: Metric, template: str, pairs: dict[Labels, str], labels: Labels, found: Distribution
) -> bytes:
    counts = tuple(accumulate(found.counts))
    text = template % (*counts, _number(found.total), counts[-1])
    found.text = text.replace(_PLACE, _pairsOf(metric, pairs, labels)).encode()
    return found.text


def _exemplified(text: bytes, found: Distribution) -> bytes:
    """
    The series of a histogram, with its exemplars behind its buckets, which come first.
    """
    if not found.exemplars:
        return text
    lines = text.split(b"\n")
    for index, exemplar in found.exemplars.items():
        lines[index] += b" " + exemplar
    return b"\n".join(lines)


def _head(metric: Metric, form: Format) -> str:
    name, kind = metric.name, metric.kind
    if form.is_open:
        name = name.removesuffix({COUNTER: "_total", INFO: "_info"}.get(kind, ""))
    elif kind == INFO:
        kind = GAUGE
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    if form.is_open:
        text = text.replace('"', r"\"")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


def _rendered(names: Labels, values: Labels) -> str:
    return ",".join(
        [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    )


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return value


def _number(value: float) -> str:
    # As short as it can be without losing anything: 3, 0.25, 1e-07.
    return repr(int(value)) if value == int(value) else repr(value)


def _template(metric: Metric) -> str:
    """
    The series of a histogram, with places for its labels and its numbers: a scrape has
    thousands of them.
    """
    name = metric.name
    before, alone = (f"{_PLACE},", f"{{{_PLACE}}}") if metric.labels else ("", "")
    limits = [*(repr(float(each)) for each in metric.buckets), "+Inf"]
    lines = [f'{name}_bucket{{{before}le="{limit}"}} %s\n' for limit in limits]
    return "".join((*lines, f"{name}_sum{alone} %s\n", f"{name}_count{alone} %s\n"))
