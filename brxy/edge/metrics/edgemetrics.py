"""
All metrics of an edge, and how they are read in short turns.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from time import time
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from brxy.edge.admin.messages import Answer, Request, Sink
from brxy.edge.admin.table import Endpoint
from brxy.edge.config.settings import EdgeSettings, MetricsSettings
from brxy.edge.events import Events
from brxy.edge.metrics import edgetable
from brxy.edge.metrics.exposition import Format, Renderer, chosen
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.lives import Lives
from brxy.edge.metrics.reloads import Reloads
from brxy.edge.metrics.requests import Requests
from brxy.edge.metrics.series import Family
from brxy.edge.metrics.state import EdgeState, Sources
from brxy.edge.metrics.turns import Turns
from brxy.edge.records.records import Records
from brxy.edge.reload.reloader import Reloader
from brxy.edge.traces.traces import Traces
from brxy.errors import BadRequest

__all__ = ["TURN", "EdgeMetrics", "Scrape", "makeMetrics", "metricsEndpoint"]

#: Seconds after which a scrape lets the reactor do something else.
TURN = 0.002

# Bytes that are sent in one turn: what has not changed is there at once.
_MOST = 256 * 1024


class EdgeMetrics:
    """
    Counts what happens, and reads the rest when it is asked for.

    @ivar requests: an observer of L{brxy.edge.records.records.Records}.
    @ivar lives: a listener of L{brxy.edge.events.Events}.
    @ivar reloads: another one.
    @ivar turns: has to be started and stopped.
    """

    def __init__(
        self,
        clock: Any,
        settings: MetricsSettings,
        sources: Sources,
        flush: Callable[[], None],
        traces: Traces | None = None,
    ) -> None:
        """
        @param flush: called before a scrape: counts the requests that are not counted yet.
        """
        self._flush = flush
        self._traces = traces
        self._renderer = Renderer()
        self._labels = RouteLabels(settings.routes)
        self._state = EdgeState(self._labels, sources)
        self.turns = Turns(clock)
        self.reloads = Reloads(time)
        self.requests = Requests(self._labels, settings.codes)
        self.lives = Lives(self._labels, sources.snapshots.spawner, sources.seconds)

    def use(self, routes: Collection[str], patterns: Collection[str | None]) -> None:
        """
        Take the routes from the settings, which may have changed.

        @param routes: those that are named.
        @param patterns: those of the spawns, which may be names, too; L{None}: all routes.
        """
        wide = [each for each in patterns if each is not None and each.startswith("*.")]
        exact = [each for each in patterns if each is not None and each not in wide]
        self._labels.use([*routes, *exact], wide)

    def render(self, form: Format) -> Iterator[bytes]:
        """
        Read and render all metrics, in pieces: after each, something else may be done.
        """
        found: list[Family] = []
        self._flush()
        for _ in chain(self.requests.read(found), self._state.read(found)):
            yield b""
        found += [
            *self.lives.families(),
            *self.turns.families(),
            *self.reloads.families(),
            (edgetable.SPANS_DROPPED, {(): 0 if self._traces is None else self._traces.dropped}),
        ]
        yield from self._renderer.render(found, form)


class Scrape:
    """
    The response to a scrape, which is made in many turns.

    @ivar content_type: see L{brxy.edge.admin.messages.Stream}.
    """

    def __init__(self, reactor: Any, content_type: str, pieces: Iterator[bytes]) -> None:
        self.content_type = content_type
        self._reactor = reactor
        self._pieces = pieces
        self._call: IDelayedCall | None = None

    def start(self, sink: Sink) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        self._sink = sink
        self._turn()

    def resume(self) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        if self._call is None:
            self._call = self._reactor.callLater(0, self._turn)

    def stop(self) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _turn(self) -> None:
        self._call = None
        seconds, sink = self._reactor.seconds, self._sink
        until, made, size = seconds() + TURN, [], 0
        for piece in self._pieces:
            made.append(piece)
            size += len(piece)
            if size >= _MOST or seconds() >= until:
                sink.write(b"".join(made))
                if not sink.congested:
                    self.resume()
                return
        sink.write(b"".join(made))
        sink.end()


def makeMetrics(
    clock: Any,
    settings: EdgeSettings,
    reloader: Reloader,
    sources: Sources,
    events: Events,
    records: Records,
    traces: Traces | None,
) -> EdgeMetrics | None:
    """
    @param reloader: knows the routes that the settings name, which may change.
    @return: the metrics of an edge; L{None} if nothing is counted.
    """
    if not settings.metrics.on:
        return None
    metrics = EdgeMetrics(clock, settings.metrics, sources, records.flush, traces)

    def use(settings: EdgeSettings) -> None:
        metrics.use(reloader.named, [each.rule.pattern for each in settings.spawns])

    use(settings)
    reloader.follow(use)
    events.add(metrics.lives)
    events.add(metrics.reloads)
    records.add(metrics.requests)
    if traces is not None:
        traces.follow(metrics.requests.exemplify)
    return metrics


def metricsEndpoint(reactor: Any, metrics: EdgeMetrics | None) -> Endpoint:
    """
    C{GET /metrics} of the admin API.

    @param metrics: L{None} if nothing is counted.
    """

    def respond(request: Request) -> Answer:
        if metrics is None:
            raise BadRequest(404, "there are no metrics; start the edge with --metrics")
        form = chosen(request.fields.get("accept", ""))
        return Scrape(reactor, form.content_type, metrics.render(form))

    return Endpoint("GET", "/metrics", respond)
