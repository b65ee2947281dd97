"""
Which exchanges are recorded, and what gets their records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from brxy.edge.records.record import Record
from brxy.http.messages import RequestHead, ResponseHead

__all__ = ["BATCH", "PAUSE", "Observer", "Records", "Tracer"]

#: Gets the records of exchanges, in the order in which these have ended.  It must return at
#: once, and not raise.
Observer = Callable[[Sequence[Record]], None]

#: Records that are passed on together at most: what is done once for all of them is cheap.
BATCH = 64

#: Seconds that a record waits for others at most.
PAUSE = 0.1


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
    Passes the record of each exchange that has ended to all observers, soon and in batches.

    Exchanges are recorded only while that is of use; otherwise C{active} is all that an
    exchange looks at.

    @ivar seconds: the reactor's clock.
    @ivar active: exchanges are recorded.
    @ivar receipts: each response says how long its client was held, not only those of cold
        starts to trusted proxies.
    @ivar shows_ids: each response has the X-Request-ID of its request.
    @ivar tracer: makes the traces of requests; L{None} if there are no traces.
    @ivar plain: the last head of a response that has no X-Request-ID of its own: most of the
        heads of an app are one object.
    """

    def __init__(
        self,
        clock: Any,
        ready: Callable[[str], bool],
        *,
        receipts: bool = False,
        shows_ids: bool = False,
    ) -> None:
        """
        @param clock: the reactor.
        @param ready: returns whether a route has a ready instance.
        """
        self.seconds: Callable[[], float] = clock.seconds
        self._later = clock.callLater
        self.hasReady = ready
        self.receipts = receipts
        self.shows_ids = shows_ids
        self.tracer: Tracer | None = None
        self._observers: tuple[Observer, ...] = ()
        self._batch: list[Record] = []
        self._most = BATCH
        self._timer: Any = None
        self.plain: ResponseHead | None = None
        self._shows = receipts or shows_ids
        self.active = self._shows

    def observe(self, observers: Sequence[Observer]) -> None:
        """
        Pass records to these observers from now on, in this order.
        """
        self._observers = tuple(observers)
        self.active = bool(self._observers) or self._shows

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

    def isPlain(self, response: ResponseHead) -> bool:
        """
        @return: whether the head of a response has no X-Request-ID of its own.
        """
        if any(name == b"x-request-id" for name, _, _ in response.fields):
            return False
        self.plain = response
        return True

    def ended(self, record: Record) -> None:
        """
        An exchange has ended.
        """
        batch = self._batch
        batch.append(record)
        if len(batch) >= self._most:
            self.flush()
        elif self._timer is None:
            self._timer = self._later(PAUSE, self._paused)

    def _paused(self) -> None:
        self._timer = None
        self.flush()

    def flush(self) -> None:
        """
        Pass on the records that wait.
        """
        batch, self._batch = self._batch, []
        if batch:
            for observer in self._observers:
                observer(batch)

    def stop(self) -> None:
        """
        Pass on the records that wait, and from now on each one at once.  Leave no timer behind.
        """
        self._most = 1
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.flush()
