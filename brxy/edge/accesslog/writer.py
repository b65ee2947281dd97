"""
Writes lines in batches, and in a thread, so that a slow disk does not stop the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

__all__ = ["BATCH", "MOST", "PAUSE", "BatchWriter", "File"]

#: Seconds that a line waits for others before it is written.
PAUSE = 0.25

#: Characters that are written without waiting for more.
BATCH = 64 * 1024

#: Characters that wait at most, while what came before them is being written.
MOST = 4 * 1024 * 1024


class File(Protocol):
    """
    A file for lines.
    """

    def write(self, text: str) -> None:
        """
        Append a text.

        @raise OSError: it can't be appended.
        """

    def rotate(self) -> None:
        """
        Begin a new file.
        """


class BatchWriter:
    """
    Passes lines to a file, in their order.  Lines that come while L{MOST} characters wait
    already are dropped.
    """

    def __init__(
        self,
        file: File,
        later: Callable[..., Any],
        run: Callable[[Callable[[], None]], Deferred[None]],
        dropped: Callable[[int, str], None],
    ) -> None:
        """
        @param later: C{callLater} of the reactor.
        @param run: runs a function where it may block.
        @param dropped: called after lines were dropped, with their number and with the
            reason if they could not be written; C{""} if they came too fast.
        """
        self._file = file
        self._later = later
        self._run = run
        self._report = dropped
        self._lines: list[str] = []
        self._size = 0
        self._count = 0
        self._dropped = 0
        self._rotates = False
        self._timer: Any = None
        self._busy: Deferred[None] | None = None

    def write(self, lines: str, count: int = 1) -> None:
        """
        Write lines, soon.

        @param count: how many there are.
        """
        if self._size >= MOST:
            self._dropped += count
            return
        self._lines.append(lines)
        self._size += len(lines)
        self._count += count
        if self._busy is None and (self._timer is None or self._size >= BATCH):
            self._schedule()

    def rotate(self) -> None:
        """
        Begin a new file, after the lines that were written before.
        """
        self._rotates = True
        if self._busy is None:
            self._flush()

    def stop(self) -> Deferred[None]:
        """
        @return: fires when all lines are written.
        """
        if self._busy is None:
            self._flush()
        if self._busy is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._busy.addCallback(lambda _: self.stop().chainDeferred(stopped))
        return stopped

    def _schedule(self) -> None:
        if self._size >= BATCH:
            self._flush()
        elif self._lines and self._timer is None:
            self._timer = self._later(PAUSE, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        lines, count = self._lines, self._count
        self._lines, self._size, self._count = [], 0, 0
        rotates, self._rotates = self._rotates, False
        if not lines and not rotates:
            return

        def perform() -> None:
            if lines:
                self._file.write("".join(lines))
            if rotates:
                self._file.rotate()

        self._busy = self._run(perform)
        self._busy.addErrback(self._failed, count)
        self._busy.addCallback(self._done)

    def _failed(self, failure: Failure, count: int) -> None:
        failure.trap(OSError)
        error: Any = failure.value
        self._report(count, error.strerror or str(error))

    def _done(self, _: object) -> None:
        self._busy = None
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._report(dropped, "")
        if self._rotates:
            self._flush()
        else:
            self._schedule()
