"""
Collects what instances print, from the log, where spawners write it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Any

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from brxy.edge.admin.printed.tails import Tails
from brxy.edge.events import Event, Gone, Ordered

__all__ = ["Collector"]


@implementer(ILogObserver)
class Collector:
    """
    Fills the tails.  It observes the log while there are instances.  See
    L{brxy.spawners.output} for the fields of the log's events.
    """

    def __init__(
        self, tails: Tails, now: Callable[[], float] = time, publisher: Any = globalLogPublisher
    ) -> None:
        """
        @param now: returns the seconds since 1970.
        @param publisher: of the log.
        """
        self._tails = tails
        self._now = now
        self._publisher = publisher
        self._living: set[str] = set()

    def __call__(self, event: LogEvent) -> None:
        """
        Something was logged.
        """
        line = event.get("raw_line")
        if line is not None:
            self._tails.add(event["ticket"], line, self._now())

    def happened(self, event: Event) -> None:
        """
        Something happened to an instance.
        """
        if isinstance(event, Ordered):
            if not self._living:
                self._publisher.addObserver(self)
            self._living.add(event.ticket)
            self._tails.begin(event.route, event.ticket)
        elif isinstance(event, Gone) and event.ticket in self._living:
            self._living.remove(event.ticket)
            self._tails.end(event.ticket)
            if not self._living:
                self._publisher.removeObserver(self)
