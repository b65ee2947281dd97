"""
Which exchanges the access log has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from time import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from brxy.edge.accesslog.events import AccessLogDropped, AccessLogFailed
from brxy.edge.accesslog.formats import FORMATS, Format
from brxy.edge.accesslog.writer import BatchWriter, File
from brxy.edge.events import Events
from brxy.edge.records.record import Record
from brxy.errors import UsageError
from brxy.program.logfile import LogFile

__all__ = ["AccessLog", "openAccessLog"]

# A full file has this number of bytes, and this number of full files is kept.
_FULL = 10_000_000
_KEPT = 10

# Seconds between two events about lines that are missing.
_EVENT_PAUSE = 60.0

_SERVER_ERROR = 500


class AccessLog:
    """
    Observes records, and writes a line of each, or of a share of them.
    """

    def __init__(
        self,
        writer: BatchWriter,
        lines: Format,
        share: float,
        epoch: Callable[[], float],
    ) -> None:
        """
        @param lines: makes the lines.
        @param share: of the exchanges that are neither a failure nor a cold start.
        @param epoch: returns what time 0 of the records is in seconds since 1970.
        """
        self._writer = writer
        self._lines = lines
        self._share = share
        self._due = 0.0
        self._epoch = epoch

    def __call__(self, records: Sequence[Record]) -> None:
        """
        Write the lines of records, as far as they are to have one.
        """
        if self._share < 1:
            records = [each for each in records if self._isLogged(each)]
            if not records:
                return
        self._writer.write(self._lines(records, self._epoch()), len(records))

    def _isLogged(self, record: Record) -> bool:
        if record.error or record.cold or record.status >= _SERVER_ERROR:
            return True
        self._due += self._share
        if self._due < 1:
            return False
        self._due -= 1
        return True

    def rotate(self) -> None:
        """
        Begin a new file.
        """
        self._writer.rotate()

    def stop(self) -> Deferred[None]:
        """
        @return: fires when all lines are written.
        """
        return self._writer.stop()


class _Output:
    """
    Standard output, which may be a pipe or a socket.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, text: str) -> None:
        """
        See L{File}.
        """
        data = text.encode("utf-8")
        while data:
            data = data[os.write(self._descriptor, data) :]

    def rotate(self) -> None:
        """
        See L{File}.
        """


class _Missing:
    """
    Reports the lines that are missing in the log, at most once a minute.
    """

    def __init__(self, seconds: Callable[[], float], events: Events) -> None:
        self._seconds = seconds
        self._events = events
        self._count = 0
        self._said_at: float | None = None

    def __call__(self, count: int, reason: str) -> None:
        self._count += count
        now = self._seconds()
        if self._said_at is not None and now < self._said_at + _EVENT_PAUSE:
            return
        self._said_at = now
        if reason:
            self._events.emit(AccessLogFailed(reason))
        if self._count:
            self._events.emit(AccessLogDropped(self._count))
            self._count = 0


def openAccessLog(reactor: Any, path: str, form: str, share: float, events: Events) -> AccessLog:
    """
    Open the file of an access log.

    @param path: C{-} for standard output.
    @param form: a key of L{FORMATS}.
    @param share: see L{AccessLog}.
    @raise UsageError: it can't be opened.
    """
    try:
        file: File = _Output(os.dup(1)) if path == "-" else LogFile(path, _FULL, _KEPT)
    except OSError as error:
        raise UsageError(f"--access-log {path}: {error.strerror or error}") from None
    writer = BatchWriter(
        file,
        reactor.callLater,
        lambda call: deferToThreadPool(reactor, reactor.getThreadPool(), call),
        _Missing(reactor.seconds, events),
    )
    return AccessLog(writer, FORMATS[form], share, lambda: time() - reactor.seconds())
