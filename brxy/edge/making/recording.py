"""
Makes what records exchanges, and what observes their records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from brxy.edge.accesslog.accesslog import openAccessLog
from brxy.edge.applogs.applogs import openAppLogs
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.edge.records.records import Records
from brxy.edge.traces.environment import readTraces
from brxy.edge.traces.events import TraceVariableIgnored
from brxy.edge.traces.traces import Traces, makeTraces
from brxy.program.logs import FORMATS
from brxy.scaler.instance import State
from brxy.scaler.scaler import Scaler

__all__ = ["Recording", "Writer", "makeRecording"]


class Writer(Protocol):
    """
    What writes a file besides the log.
    """

    def rotate(self) -> None:
        """
        Begin a new file.
        """

    def stop(self) -> Deferred[Any]:
        """
        @return: fires when everything is written.
        """


@frozen
class Recording:
    """
    What exchanges are recorded with, and what observes the records.

    @ivar writers: the files that are written besides the log.
    @ivar traces: exports spans; L{None} if there are no traces.
    """

    records: Records
    writers: Sequence[Writer]
    traces: Traces | None


def makeRecording(
    reactor: Any,
    settings: EdgeSettings,
    scaler: Scaler,
    events: Events,
    environ: Mapping[str, str],
) -> Recording:
    """
    Make what records exchanges.

    @param environ: says which traces are exported, and where.
    @raise UsageError: one of them can't be opened.
    """

    def hasReady(route: str) -> bool:
        return any(each.state is State.READY for each in scaler.instances(route))

    shows_ids = settings.request_ids or settings.access_log is not None
    records = Records(reactor, hasReady, receipts=settings.receipts, shows_ids=shows_ids)
    traced = readTraces(environ, lambda *what: events.emit(TraceVariableIgnored(*what)))
    traces: Traces | None = None
    if traced is not None:
        # Before all others, for which it completes the records.
        traces = makeTraces(reactor, traced, settings.trace_slow, records, events)
    writers: list[Writer] = []
    if settings.access_log is not None:
        form, share = settings.access_log_format, settings.access_log_sample
        log = openAccessLog(reactor, settings.access_log, form, share, events)
        records.add(log)
        writers.append(log)
    if settings.app_log_dir is not None:
        line = FORMATS[settings.log_format]
        writers.append(openAppLogs(reactor, settings.app_log_dir, line, events))
    return Recording(records, writers, traces)
