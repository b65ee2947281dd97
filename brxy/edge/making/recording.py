"""
Makes what records exchanges, and what observes their records.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.accesslog.accesslog import AccessLog, openAccessLog
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.edge.records.records import Records
from brxy.scaler.instance import State
from brxy.scaler.scaler import Scaler

__all__ = ["makeRecords"]


def makeRecords(
    reactor: Any, settings: EdgeSettings, scaler: Scaler, events: Events
) -> tuple[Records, AccessLog | None]:
    """
    Make what exchanges are recorded with, and what observes the records.

    @raise UsageError: the access log can't be opened.
    """

    def hasReady(route: str) -> bool:
        return any(each.state is State.READY for each in scaler.instances(route))

    shows_ids = settings.request_ids or settings.access_log is not None
    records = Records(reactor.seconds, hasReady, receipts=settings.receipts, shows_ids=shows_ids)
    if settings.access_log is None:
        return records, None
    form, share = settings.access_log_format, settings.access_log_sample
    log = openAccessLog(reactor, settings.access_log, form, share, events)
    records.observe([log])
    return records, log
