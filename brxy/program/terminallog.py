"""
The log on a terminal, for people to read as it comes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from brxy.values.text import coloured, printable

__all__ = ["TerminalLog", "showsColours"]

_COLOURS = {
    LogLevel.debug: "2",
    LogLevel.info: "32",
    LogLevel.warn: "33",
    LogLevel.error: "31",
    LogLevel.critical: "1;31",
}
_TIME = "2"
_TICKET = "36"

# What Twisted and twistd log of their own start and end.  The edge logs where it listens.
_TWISTED = re.compile(r"\S+ starting on .*|\(\w+ Port .* Closed\)|\(Port .* Closed\)")
_QUIET = ("twisted.scripts.", "twisted.application.")
_LOOP = "Main loop terminated."

# The cursor goes to the start of its line, which is cleared.
_CLEAR = "\r\x1b[K"

_SEQUENCES = re.compile(r"\x1b\[[0-9;:]*m")


def showsColours(environ: Mapping[str, str]) -> bool:
    """
    Whether colours are wanted on a terminal, see U{https://no-color.org}.
    """
    return not environ.get("NO_COLOR") and not isDumb(environ)


def isDumb(environ: Mapping[str, str]) -> bool:
    """
    Whether a terminal understands no control sequences.
    """
    return environ.get("TERM", "") in ("", "dumb")


@implementer(ILogObserver)
class TerminalLog:
    """
    Writes events to a terminal: the time of day, the level and the text of each.

    Output of instances keeps its colours.  A progress bar for which an app writes C{\\r} is the
    last line, and the next message replaces it; see L{brxy.spawners.output} for the fields of
    these events.
    """

    def __init__(
        self, file: TextIO, environ: Mapping[str, str], columns: Callable[[], int]
    ) -> None:
        """
        @param environ: says whether colours are wanted.
        @param columns: returns the width of the terminal.
        """
        self._file = file
        self._colours = showsColours(environ)
        self._clear = "" if isDumb(environ) else _CLEAR
        self._columns = columns

    def __call__(self, event: LogEvent) -> None:
        """
        Write one event.
        """
        # After the end of the terminal there is nowhere to write to.
        with suppress(OSError):
            progress = event.get("raw_progress")
            if progress is not None:
                self._write(self._progress(event, progress), "\r")
            elif not _isNoise(event) and (text := self._text(event)):
                self._write(text, "\n")

    def _write(self, text: str, end: str) -> None:
        self._file.write(f"{self._clear}{text}{end}")
        self._file.flush()

    def _text(self, event: LogEvent) -> str:
        moment = time.strftime("%H:%M:%S", time.localtime(event["log_time"]))
        head = self._in(_TIME, moment)
        line = event.get("raw_line")
        if line is not None:
            return f"{head} {self._ticket(event)} {self._appText(line)}"
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text.strip():
            return ""
        level = event.get("log_level") or LogLevel.info
        return f"{head} {self._in(_COLOURS[level], f'{level.name:5}')} {text}"

    def _progress(self, event: LogEvent, text: str) -> str:
        # A line that is wrapped could not be written over.
        room = self._columns() - len(event["ticket"]) - 3
        shown = printable(_SEQUENCES.sub("", _last(text)))[: max(room, 0)]
        return f"{self._ticket(event)} {shown}"

    def _ticket(self, event: LogEvent) -> str:
        return self._in(_TICKET, f"{event['ticket']}|")

    def _appText(self, line: str) -> str:
        line = _last(line)
        return coloured(line if self._colours else _SEQUENCES.sub("", line))

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text


def _last(line: str) -> str:
    """
    @return: what a terminal shows of a line that was overwritten several times.
    """
    return line.rstrip("\r").rpartition("\r")[2]


def _isNoise(event: Mapping[str, Any]) -> bool:
    if event.get("log_level") != LogLevel.info:
        return False
    namespace = event.get("log_namespace") or ""
    if namespace == "log_legacy":
        return _TWISTED.fullmatch(str(event.get("log_text"))) is not None
    return namespace.startswith(_QUIET) or event.get("log_format") == _LOOP
