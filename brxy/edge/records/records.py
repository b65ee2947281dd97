"""
Which exchanges are recorded, and what gets their records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from brxy.edge.records.record import Record
from brxy.http.messages import RequestHead

__all__ = ["Observer", "Records", "Tracer"]

#: Gets the record of each exchange that has ended.  It must return at once, and not raise.
Observer = Callable[[Record], None]


class Tracer(Protocol):
    """
    What says which trace a request belongs to.

    @ivar plain: the fields of a request that names no trace itself: most requests of a
        connection have the same, remembered as one object.
    """

    @property
    def plain(self) -> object: ...

    def isPlain(self, head: RequestHead) -> bool:
        """
        @return: whether a request names no trace itself.
        """

    def lines(self, record: Record) -> bytes:
        """
        The field lines by which an app continues the trace of a request that is about to be
        sent to it: C{traceparent} of version 00, and C{tracestate} if there is one.  There is
        a CRLF before each of them, and behind the last.
        """


class Records:
    """
    Passes the record of each exchange that has ended to all observers.

    Exchanges are recorded only while that is of use; otherwise C{active} is all that an
    exchange looks at.

    @ivar seconds: the reactor's clock.
    @ivar active: exchanges are recorded.
    @ivar receipts: each response says how long its client was held, not only those of cold
        starts to trusted proxies.
    @ivar shows: each response has one of these two.
    @ivar shows_ids: each response has the X-Request-ID of its request.
    @ivar tracer: makes the traces of requests; L{None} if there are no traces.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        ready: Callable[[str], bool],
        *,
        receipts: bool = False,
        shows_ids: bool = False,
    ) -> None:
        """
        @param ready: returns whether a route has a ready instance.
        """
        self.seconds = seconds
        self.hasReady = ready
        self.receipts = receipts
        self.shows_ids = shows_ids
        self.tracer: Tracer | None = None
        self._observers: tuple[Observer, ...] = ()
        self.active = self.shows = receipts or shows_ids

    def observe(self, observers: Sequence[Observer]) -> None:
        """
        Pass records to these observers from now on, in this order.
        """
        self._observers = tuple(observers)
        self.active = bool(self._observers) or self.shows

    def add(self, observer: Observer) -> None:
        """
        Pass records to one more observer.
        """
        self.observe([*self._observers, observer])

    def remove(self, observer: Observer) -> None:
        """
        Pass no more records to an observer.
        """
        self.observe([each for each in self._observers if each is not observer])

    def ended(self, record: Record) -> None:
        """
        An exchange has ended.
        """
        for observer in self._observers:
            observer(record)
