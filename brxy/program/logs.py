"""
Where the log goes, and in which form: the observer that takes the place of twistd's own.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatTime
from zope.interface import implementer

from brxy.errors import UsageError
from brxy.program.logfile import LogFile
from brxy.program.terminallog import TerminalLog
from brxy.reactor.signals import onSignal

__all__ = ["FORMATS", "LineLog", "WithoutOutput", "jsonLine", "logObserver", "textLine"]


class File(Protocol):
    """
    Where the log goes.
    """

    def write(self, text: str) -> object:
        """
        Append a text.
        """

    def flush(self) -> object:
        """
        Keep no text back.
        """


@implementer(ILogObserver)
class LineLog:
    """
    Writes a line for each event.
    """

    def __init__(self, file: File, line: Callable[[LogEvent], str]) -> None:
        """
        @param line: makes the line, with its end; C{""} for none.
        """
        self._file = file
        self._line = line

    def __call__(self, event: LogEvent) -> None:
        """
        Write one event.
        """
        text = self._line(event)
        if text:
            # Nothing could be done about it, or said.
            with suppress(OSError):
                self._file.write(text)
                self._file.flush()


@implementer(ILogObserver)
class WithoutOutput:
    """
    Leaves out what instances print, see L{brxy.spawners.output}.
    """

    def __init__(self, observer: ILogObserver) -> None:
        """
        @param observer: gets all other events.
        """
        self._observer = observer

    def __call__(self, event: LogEvent) -> None:
        """
        Pass on one event.
        """
        if "raw_line" not in event and "raw_progress" not in event:
            self._observer(event)


def textLine(event: LogEvent) -> str:
    """
    The time, the level and the text.  The lines of a traceback that follow are indented.
    """
    text = _text(event)
    if not text:
        return ""
    lines = text.replace("\n", "\n\t")
    return f"{formatTime(event.get('log_time'))} {_level(event)} {lines}\n"


def jsonLine(event: LogEvent) -> str:
    """
    One JSON object.  An event of the edge has its name and its fields; a line that an instance
    printed has its ticket.
    """
    text = _text(event)
    if not text:
        return ""
    moment = datetime.fromtimestamp(event.get("log_time") or 0, UTC)
    shown: dict[str, Any] = {
        "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _level(event),
    }
    if "event_name" in event:
        shown["event"] = event["event_name"]
        for name, each in event["event_fields"].items():
            shown.setdefault(name, round(each, 3) if isinstance(each, float) else each)
    elif "raw_line" in event:
        shown |= {"event": "output", "ticket": event["ticket"]}
        text = event["line"]
    shown["message"] = text
    return json.dumps(shown, default=str, separators=(",", ":")) + "\n"


def _text(event: LogEvent) -> str:
    return eventAsText(event, includeTimestamp=False, includeSystem=False).strip("\n")


def _level(event: LogEvent) -> str:
    level = event.get("log_level") or LogLevel.info
    return str(level.name)


#: By the values of C{--log-format}.
FORMATS: dict[str, Callable[[LogEvent], str]] = {"text": textLine, "json": jsonLine}


def logObserver(
    reactor: Any,
    options: Mapping[str, Any] | None,
    environ: Mapping[str, str],
    form: str = "text",
    with_output: bool = True,
) -> ILogObserver | None:
    """
    The observer for a log file or for a terminal.  From now on SIGUSR1 begins a new log
    file, and does nothing if there is none.

    @param options: those of twistd; L{None} if another program runs the service.
    @param form: a key of L{FORMATS}.
    @param with_output: the log has what instances print.
    @return: L{None} if twistd's own observer is right.
    @raise UsageError: the log file can't be opened.
    """
    if options is None or options.get("logger"):
        return None
    observer: ILogObserver | None = None
    rotate: Callable[[], None] = _nothing
    path = options.get("logfile")
    foreground = options.get("nodaemon")
    to_stdout = path == "-" or (not path and foreground)
    if options.get("syslog"):
        pass
    elif not to_stdout:
        file = _opened(path or "twistd.log")
        observer, rotate = LineLog(file, FORMATS[form]), file.rotate
    elif foreground and sys.stdout.isatty() and form == "text":
        observer = TerminalLog(sys.stdout, environ, _columns)
    elif foreground:
        observer = LineLog(sys.stdout, FORMATS[form])
    onSignal(reactor, signal.SIGUSR1, rotate)
    return observer if with_output or observer is None else WithoutOutput(observer)


def _opened(path: str) -> LogFile:
    try:
        return LogFile(path)
    except OSError as error:
        raise UsageError(f"--logfile {path}: {error.strerror or error}") from None


def _nothing() -> None:
    return


def _columns() -> int:
    return shutil.get_terminal_size().columns
