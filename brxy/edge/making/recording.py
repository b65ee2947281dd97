"""
Makes what records exchanges, and what observes their records.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from brxy.edge.accesslog.accesslog import openAccessLog
from brxy.edge.applogs.applogs import openAppLogs
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.edge.records.records import Records
from brxy.program.logs import FORMATS
from brxy.scaler.instance import State
from brxy.scaler.scaler import Scaler

__all__ = ["Writer", "makeRecords"]


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


def makeRecords(
    reactor: Any, settings: EdgeSettings, scaler: Scaler, events: Events
) -> tuple[Records, list[Writer]]:
    """
    Make what exchanges are recorded with, and what observes the records.

    @return: the second are the files that are written besides the log.
    @raise UsageError: one of them can't be opened.
    """

    def hasReady(route: str) -> bool:
        return any(each.state is State.READY for each in scaler.instances(route))

    shows_ids = settings.request_ids or settings.access_log is not None
    records = Records(reactor.seconds, hasReady, receipts=settings.receipts, shows_ids=shows_ids)
    writers: list[Writer] = []
    if settings.access_log is not None:
        form, share = settings.access_log_format, settings.access_log_sample
        log = openAccessLog(reactor, settings.access_log, form, share, events)
        records.observe([log])
        writers.append(log)
    if settings.app_log_dir is not None:
        line = FORMATS[settings.log_format]
        writers.append(openAppLogs(reactor, settings.app_log_dir, line, events))
    return records, writers
