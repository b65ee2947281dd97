"""
Collects spans, and sends them in batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from random import uniform
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from brxy.edge.traces.environment import TraceSettings

__all__ = ["Answer", "Exporter", "Sender"]

# Seconds until spans are sent again after the first failure; each further pause is twice as
# long, up to the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 16.0

# A collector that asks for a longer pause gets this.
_MOST_RETRY_AFTER = 300.0

# Seconds between two reports.
_REPORT_PAUSE = 60.0

_TOO_MANY = "more were made than the collector took"


@frozen
class Answer:
    """
    What came of sending spans.

    @ivar error: why they were not taken; C{""} if they were.
    @ivar again: they may be sent once more.
    @ivar retry_after: but not before this number of seconds; L{None} if that is not said.
    @ivar rejected: the number of spans that were not taken although the others were.
    """

    error: str = ""
    again: bool = False
    retry_after: float | None = None
    rejected: int = 0


class Sender(Protocol):
    """
    Sends spans to a collector.
    """

    async def send(self, body: bytes) -> Answer:
        """
        Send spans, and wait for the answer.
        """

    async def close(self) -> None:
        """
        Close the connection.
        """


class Exporter:
    """
    Sends spans, one batch after another.  Spans that come while the queue is full are dropped.

    @ivar dropped: how many spans the collector did not get.
    """

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        settings: TraceSettings,
        around: tuple[str, str],
        sender: Sender,
        report: Callable[[int, str], None],
    ) -> None:
        """
        @param around: what stands before and behind the spans in a request.
        @param report: called after spans were dropped, with their number and the reason.
        """
        self.dropped = 0
        self._clock = clock
        self._settings = settings
        self._before, self._behind = around
        self._sender = sender
        self._report = report
        self._spans: deque[str] = deque()
        self._unreported = 0
        self._reported_at: float | None = None
        self._timer: Any = None
        self._pause: Deferred[None] | None = None
        self._working = False
        self._worked: Deferred[None] | None = None
        self._stopping = False

    @property
    def room(self) -> int:
        """
        How many more spans are taken.
        """
        return self._settings.queue - len(self._spans)

    def add(self, spans: Sequence[str]) -> None:
        """
        Send spans, soon.
        """
        self._spans.extend(spans)
        if not self._working:
            self._schedule()

    def drop(self, count: int) -> None:
        """
        Spans are not sent.
        """
        self.dropped += count
        self._unreported += count

    async def stop(self) -> None:
        """
        Send all spans, or drop them.
        """
        self._stopping = True
        if self._pause is not None:
            self._pause.cancel()
        if not self._working:
            self._begin()
        if self._worked is not None:
            await self._worked
        await self._sender.close()

    def _schedule(self) -> None:
        if len(self._spans) >= self._settings.batch:
            self._begin()
        elif self._spans and self._timer is None:
            self._timer = self._clock.callLater(self._settings.delay, self._begin)

    def _begin(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self._working = True
        self._worked = Deferred.fromCoroutine(self._work())
        self._worked.addErrback(lambda failure: self._log.failure("sending spans", failure))

    async def _work(self) -> None:
        spans, most = self._spans, self._settings.batch
        try:
            while spans:
                batch = list(islice(spans, most))
                reason = await self._send(batch)
                self._say(reason or _TOO_MANY)
                if len(spans) < most and not self._stopping:
                    break
        finally:
            self._working = False
            if not self._stopping:
                self._schedule()

    async def _send(self, batch: Sequence[str]) -> str:
        """
        Send the first spans of the queue until they are taken, or it is too late.

        @return: why they were not taken; C{""} if they were.
        """
        for _ in batch:
            self._spans.popleft()
        body = f"{self._before}{','.join(batch)}{self._behind}".encode()
        until = self._clock.seconds() + self._settings.export_timeout
        pause = _FIRST_PAUSE
        while True:
            answer = await self._sender.send(body)
            if not answer.error:
                self.drop(answer.rejected)
                return "the collector rejected them" if answer.rejected else ""
            after = answer.retry_after
            wait = uniform(0.5, 1) * pause if after is None else min(after, _MOST_RETRY_AFTER)
            late = self._clock.seconds() + wait > until
            if late or self._stopping or not answer.again:
                self.drop(len(batch))
            if self._stopping or not answer.again or (late and after is None):
                return answer.error
            await self._wait(wait)
            if late:
                return answer.error
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _wait(self, seconds: float) -> None:
        self._pause = deferLater(self._clock, seconds)
        try:
            await self._pause
        except CancelledError:
            # The edge stops: it tries once more now.
            pass
        finally:
            self._pause = None

    def _say(self, reason: str) -> None:
        now = self._clock.seconds()
        due = self._reported_at is None or now >= self._reported_at + _REPORT_PAUSE
        if self._unreported and (due or self._stopping):
            self._reported_at = now
            count, self._unreported = self._unreported, 0
            self._report(count, reason)
