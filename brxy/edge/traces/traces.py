"""
The traces of an edge: what makes them, and what exports them.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

from twisted.internet.defer import Deferred

from brxy import __version__
from brxy.edge.events import Events, InstanceEvent
from brxy.edge.records.record import Record
from brxy.edge.records.records import Records
from brxy.edge.traces.environment import TraceSettings
from brxy.edge.traces.events import SpansDropped, TracesExported
from brxy.edge.traces.exporter import Exporter
from brxy.edge.traces.failedstarts import FailedStarts
from brxy.edge.traces.spans import Starts, envelope, failedStart, spansOf
from brxy.edge.traces.tracer import Tracer

__all__ = ["Traces", "makeTraces"]


class Traces:
    """
    Makes the spans of the exchanges whose traces are recorded, and has them exported.
    """

    def __init__(self, seconds: Callable[[], float], exporter: Exporter) -> None:
        """
        @param seconds: the reactor's clock.
        """
        self._seconds = seconds
        self._exporter = exporter
        self._starts = Starts()
        self._follow: Callable[[Record, float], None] | None = None

    def follow(self, exported: Callable[[Record, float], None]) -> None:
        """
        Call this with the record of each exchange that is exported, and with the time at which
        it was over in seconds since 1970.
        """
        self._follow = exported

    @property
    def dropped(self) -> int:
        """
        How many spans the collector did not get.
        """
        return self._exporter.dropped

    def export(self, record: Record) -> None:
        """
        An exchange has ended whose trace is exported.
        """
        count = 1 + (record.held_at is not None) + (record.matched is not None)
        if self._exporter.room < count:
            self._exporter.drop(count)
            return
        epoch = time() - self._seconds()
        self._exporter.add(spansOf(record, epoch, self._starts))
        if self._follow is not None:
            self._follow(record, epoch + record.ended)

    def startFailed(self, event: InstanceEvent, ordered_at: float, reason: str) -> None:
        """
        An instance did not become ready.
        """
        if self._exporter.room < 1:
            self._exporter.drop(1)
            return
        now, epoch = self._seconds(), time() - self._seconds()
        span = failedStart(event.route, event.ticket, epoch + ordered_at, epoch + now, reason)
        self._exporter.add([span])

    def stop(self) -> Deferred[None]:
        """
        @return: fires when all spans are sent or dropped.
        """
        return Deferred.fromCoroutine(self._exporter.stop())


def makeTraces(
    reactor: Any, settings: TraceSettings, slow: float, records: Records, events: Events
) -> Traces:
    """
    Make the traces of an edge.

    @param slow: see L{Tracer}.
    @raise UsageError: a file that the settings name can't be used.
    """
    # Twisted's HTTP client takes a tenth of a second to import.
    from brxy.edge.traces.sending import HTTPSender

    exporter = Exporter(
        reactor,
        settings,
        envelope(settings.resource, __version__),
        HTTPSender(reactor, settings, time),
        lambda count, reason: events.emit(SpansDropped(count, reason)),
    )
    traces = Traces(reactor.seconds, exporter)
    records.tracer = tracer = Tracer(settings.sampler, slow, traces.export)
    records.add(tracer)
    events.add(FailedStarts(reactor.seconds, traces.startFailed))
    events.emit(TracesExported(settings.endpoint))
    return traces
