"""
Writes the output of instances to files, one for each route.
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from brxy.edge.accesslog.writer import BatchWriter
from brxy.edge.applogs.events import OutputLost
from brxy.edge.events import Event, Events, Gone, Ordered
from brxy.errors import UsageError
from brxy.program.logfile import LogFile

__all__ = ["AppLogs", "openAppLogs"]

# Instances that have ended and may still have printed something.
_ENDED = 1000

# Seconds between two events about the lines of one route that are lost.
_EVENT_PAUSE = 60.0


class _OutputFile:
    """
    The file of a route, opened when it is written to.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: LogFile | None = None

    def write(self, text: str) -> None:
        """
        See L{brxy.edge.accesslog.writer.File}.
        """
        if self._file is None:
            self._file = LogFile(self._path)
        self._file.write(text)

    def rotate(self) -> None:
        """
        See L{brxy.edge.accesslog.writer.File}.
        """
        if self._file is not None:
            self._file.rotate()

    def close(self) -> None:
        """
        Close it; it can be written to again.
        """
        if self._file is not None:
            self._file.close()
            self._file = None


@implementer(ILogObserver)
class AppLogs:
    """
    Observes the log for the output of instances, see L{brxy.spawners.output}, and the events
    that say which route each instance has.

    A file is open while its route has an instance.
    """

    def __init__(
        self,
        folder: str,
        line: Callable[[LogEvent], str],
        events: Events,
        *,
        seconds: Callable[[], float],
        later: Callable[..., Any],
        run: Callable[[Callable[[], None]], Deferred[None]],
        publisher: Any = globalLogPublisher,
    ) -> None:
        """
        @param line: makes a line of an event of the log.
        @param seconds: the reactor's clock.
        @param later: see L{BatchWriter}.
        @param run: see L{BatchWriter}.
        @param publisher: of the log.
        """
        self._folder = folder
        self._line = line
        self._events = events
        self._seconds = seconds
        self._later = later
        self._run = run
        self._publisher = publisher
        self._routes: dict[str, str] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._living: Counter[str] = Counter()
        self._open: dict[str, tuple[_OutputFile, BatchWriter]] = {}
        self._lost: Counter[str] = Counter()
        self._said_at: dict[str, float] = {}
        publisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """
        Something was logged.
        """
        if "raw_line" not in event:
            return
        ticket = event["ticket"]
        route = self._routes.get(ticket) or self._ended.get(ticket)
        if route is not None:
            self._writer(route).write(self._line(event))

    def happened(self, event: Event) -> None:
        """
        Something happened to an instance.
        """
        if isinstance(event, Ordered):
            self._routes[event.ticket] = event.route
            self._living[event.route] += 1
        elif isinstance(event, Gone) and event.ticket in self._routes:
            route = self._ended[event.ticket] = self._routes.pop(event.ticket)
            while len(self._ended) > _ENDED:
                self._ended.popitem(last=False)
            self._living[route] -= 1
            if not self._living[route]:
                del self._living[route]
                self._close(route)

    def _writer(self, route: str) -> BatchWriter:
        found = self._open.get(route)
        if found is None:
            file = _OutputFile(os.path.join(self._folder, f"{route}.log"))
            writer = BatchWriter(file, self._later, self._run, partial(self._missed, route))
            found = self._open[route] = file, writer
        return found[1]

    def _close(self, route: str) -> Deferred[None]:
        found = self._open.pop(route, None)
        if found is None:
            closed: Deferred[None] = Deferred()
            closed.callback(None)
            return closed
        file, writer = found
        return writer.stop().addCallback(lambda _: self._run(file.close))

    def _missed(self, route: str, count: int, reason: str) -> None:
        self._lost[route] += count
        now = self._seconds()
        said_at = self._said_at.get(route)
        if said_at is None or now >= said_at + _EVENT_PAUSE:
            self._said_at[route] = now
            lost = self._lost.pop(route)
            self._events.emit(OutputLost(route, lost, reason or "they came too fast"))

    def rotate(self) -> None:
        """
        Begin new files.
        """
        for _, writer in self._open.values():
            writer.rotate()

    def stop(self) -> Deferred[Any]:
        """
        @return: fires when all lines are written.
        """
        self._publisher.removeObserver(self)
        return DeferredList([self._close(route) for route in list(self._open)])


def openAppLogs(
    reactor: Any, folder: str, line: Callable[[LogEvent], str], events: Events
) -> AppLogs:
    """
    Begin to write the output of instances to the files of a folder.

    @param line: see L{AppLogs}.
    @raise UsageError: the folder can't be made or written to.
    """
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--app-log-dir {folder}: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--app-log-dir {folder}: Permission denied")
    logs = AppLogs(
        os.path.abspath(folder),
        line,
        events,
        seconds=reactor.seconds,
        later=reactor.callLater,
        run=lambda call: deferToThreadPool(reactor, reactor.getThreadPool(), call),
    )
    events.add(logs.happened)
    return logs
