"""
What the command lines of edge and node have in common.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.python import usage

from brxy.errors import UsageError
from brxy.hostname import routeName

__all__ = ["Guarded", "Options", "capacity", "count", "fail", "readToken", "route", "seconds"]


def seconds(text: str) -> float:
    """
    A time in seconds, 0 or more.

    @raise ValueError: it is none.
    """
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


seconds.coerceDoc = "Seconds, 0 or more."  # type: ignore[attr-defined]


def count(text: str) -> int:
    """
    A whole number, 0 or more.

    @raise ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


count.coerceDoc = "A whole number, 0 or more."  # type: ignore[attr-defined]


def capacity(text: str) -> int:
    """
    How many exchanges an instance takes at once.

    @raise ValueError: it is no whole number from 1 to 10,000.
    """
    value = count(text)
    if not 1 <= value <= 10_000:
        raise ValueError(text)
    return value


capacity.coerceDoc = "A whole number from 1 to 10000."  # type: ignore[attr-defined]


def route(text: str) -> str:
    """
    The name of a route.

    @raise usage.UsageError: it is none.
    """
    name = routeName(text)
    if name is None:
        raise usage.UsageError(f"{text!r} is no name that a route can have")
    return name


def readToken(path: str) -> str:
    """
    The token in a file: its first line.

    @raise usage.UsageError: it can't be read, or is no token.
    """
    try:
        with open(path, encoding="ascii") as file:
            token = file.readline(1024).strip()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not ASCII"
        raise usage.UsageError(f"--token-file {path}: {why}") from None
    if not token.isprintable() or not 1 <= len(token) <= 255:
        raise usage.UsageError(f"--token-file {path}: its first line is no token")
    return token


def fail(program: str, error: Exception) -> NoReturn:
    """
    Say in one line why brxy can't start, and end with status 1.

    @raise SystemExit: always.
    """
    sys.stderr.write(f"{program}: {error}\n")
    raise SystemExit(1)


class Options(usage.Options):
    """
    Options whose errors are one line.

    @ivar program: what the command is called.
    """

    program = "brxy"

    def parseOptions(self, options: Any = None) -> None:
        """
        Parse a command line, or end with a line that says what is wrong: in
        twistd's own report of an error that line would be hard to find.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            fail(self.program, error)

    def foreground(self) -> bool:
        """
        Does twistd stay in the foreground?
        """
        parent = self.parent
        return parent is None or bool(parent.get("nodaemon"))

    def withoutPidfile(self) -> None:
        """
        In the foreground write no pidfile unless asked for: an edge and its
        nodes may share a folder, and a second twistd.pid refuses to start.
        """
        parent = self.parent
        if parent is not None and parent.get("nodaemon") and parent.get("pidfile") == "twistd.pid":
            parent["pidfile"] = ""


class Guarded(Service):
    """
    A service whose L{UsageError}s on starting are one line, not a traceback.

    @param start: makes the service, in the process that will run it.
    """

    def __init__(self, program: str, foreground: bool, service: Service) -> None:
        self._program = program
        self._foreground = foreground
        self._service = service

    def startService(self) -> None:
        """
        Start the service, or end with a line that says why not.
        """
        super().startService()
        try:
            self._service.startService()
        except UsageError as error:
            # In the background twistd itself carries the line to the terminal.
            if not self._foreground:
                raise
            fail(self._program, error)

    def stopService(self) -> Any:
        """
        Stop the service.
        """
        super().stopService()
        return self._service.stopService()

