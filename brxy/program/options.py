"""
What the command lines of edge and node have in common.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.python import usage

from brxy.errors import BrxyError
from brxy.reactor.signals import stopOnce
from brxy.transport.epollreactor import EpollReactor
from brxy.values.converters import atLeastOne, capacity, count, port, positive, seconds

__all__ = ["TRANSPORT", "CannotStart", "Guarded", "Options", "fail", "usedReactor"]


seconds.coerceDoc = "Seconds, 0 or more."  # type: ignore[attr-defined]


count.coerceDoc = "A whole number, 0 or more."  # type: ignore[attr-defined]


positive.coerceDoc = "Seconds, more than 0."  # type: ignore[attr-defined]


atLeastOne.coerceDoc = "A whole number, 1 or more."  # type: ignore[attr-defined]


capacity.coerceDoc = "A whole number from 1 to 10000."  # type: ignore[attr-defined]


port.coerceDoc = "A whole number from 1 to 65535."  # type: ignore[attr-defined]


def _transport(text: str) -> str:
    if text not in ("epoll", "reactor"):
        raise ValueError("epoll or reactor is needed")
    return text


#: The option that says how connections are made, see L{usedReactor}.
TRANSPORT: list[Any] = [
    "transport",
    None,
    "epoll",
    "How connections are served: by brxy's own epoll transport, or by Twisted's reactor.",
    _transport,
]


def usedReactor(transport: str) -> Any:
    """
    The reactor for a service, made fit for one: Twisted's, or the same with
    connections of our own transport.

    @param transport: C{epoll} or C{reactor}.
    """
    from twisted.internet import reactor

    stopOnce(reactor)
    # Twisted's timers follow the wall clock, and freeze or storm when it jumps.
    setattr(reactor, "seconds", time.monotonic)  # noqa: B010 (mypy takes it for a method)
    return EpollReactor(reactor) if transport == "epoll" else reactor


def fail(program: str, error: Exception) -> NoReturn:
    """
    Say in one line why brxy can't start, and end with status 1.

    @raise SystemExit: always.
    """
    sys.stderr.write(f"{program}: {error}\n")
    raise SystemExit(1)


class CannotStart(SystemExit, Exception):
    """
    Ends twistd with status 1 and no traceback.  It is an L{Exception} too:
    only after one of those does twistd remove its pidfile, and tell whoever
    waits for a daemon to come up.
    """


class Options(usage.Options):
    """
    Options whose errors are one line.

    @ivar program: what the command is called.
    """

    program = "brxy"

    optParameters: list[list[Any]] = []

    def __init_subclass__(cls) -> None:
        cls.optParameters = [_withName(*parameter) for parameter in cls.optParameters]

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


def _withName(
    name: str,
    short: str | None,
    default: Any,
    doc: str,
    coerce: Callable[[str], Any] | None = None,
) -> list[Any]:
    """
    A parameter whose error says which one it is; twistd's says only the value.
    """
    if coerce is None:
        return [name, short, default, doc]

    @wraps(coerce)
    def coerceOrTell(text: str) -> Any:
        try:
            return coerce(text)
        except ValueError as error:
            raise usage.UsageError(f"bad --{name} {text!r}: {error}") from None

    return [name, short, default, doc, coerceOrTell]


class Guarded(Service):
    """
    A service whose L{BrxyError}s on starting are one line, not a traceback.

    @param start: makes the service, in the process that will run it.
    """

    def __init__(self, program: str, foreground: bool, service: Service) -> None:
        self._program = program
        self._foreground = foreground
        self._service = service

    def startService(self) -> None:
        """
        Start the service, or end with a line that says why not.

        @raise CannotStart: always if it can't be started.
        """
        super().startService()
        try:
            self._service.startService()
        except BrxyError as error:
            if not self._foreground:
                # Python writes it to the log, and twistd to the terminal.
                raise CannotStart(str(error)) from None
            # By now sys.stderr is the log.
            print(f"{self._program}: {error}", file=sys.__stderr__, flush=True)
            raise CannotStart(1) from None
        # What is loaded stays: a full run of the collector looks at it no more,
        # and keeps the reactor waiting for a few milliseconds and not for 30.
        gc.freeze()

    def stopService(self) -> Any:
        """
        Stop the service.
        """
        super().stopService()
        return self._service.stopService()
