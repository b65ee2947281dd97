"""
The app of a node, started before the node itself is there.

To load Twisted takes 0.3 s, longer than many apps need to start.  So the app
comes first: when the command line is plainly good before anything else is
loaded, otherwise once it was parsed.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

import atexit
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brxy.apps.command import HOST, appCommand, appEnvironment
from brxy.errors import SpawnFailed
from brxy.processes.launch import Launched, launch, signalGroup
from brxy.processes.ports import PORTS, isFree

__all__ = ["EARLY", "OPTIONS", "Early", "PlainLine", "isPlain", "plainLine"]

_SECONDS = r"\d{1,9}(\.\d{1,9})?"

#: Options, and values that are good beyond doubt.  What is not listed here may
#: be good too: only the node's own parser can say.
OPTIONS = {
    "edge": r"tcp:[a-z0-9.-]+:\d{1,5}|unix:[\w./-]+",
    "route": r"[a-z0-9]{1,60}([.-][a-z0-9]{1,60}){0,3}",
    "capacity": r"[1-9]\d{0,3}",
    "app-port": r"[1-9]\d{0,3}|[1-5]\d{4}",
    "ready-path": r"/[!-~]*",
    "idle-timeout": _SECONDS,
    "old-idle-timeout": _SECONDS,
    "send-proxy": r"v[12]",
    "stop-timeout": _SECONDS,
    "drain-timeout": _SECONDS,
    "transport": r"epoll|reactor",
}

_FLAG = "--exit-on-stdin-eof"

_SHORT = {"-c": "--capacity"}

# What an edge hands over.
_VARIABLES = {
    "BRXY_EDGE": "edge",
    "ROUTE": "route",
    "BRXY_CAPACITY": "capacity",
    "BRXY_IDLE_TIMEOUT": "idle-timeout",
    "BRXY_OLD_IDLE_TIMEOUT": "old-idle-timeout",
    "BRXY_SEND_PROXY": "send-proxy",
    "BRXY_GENERATION": "generation",
    "BRXY_TOKEN": "token",
}

_TLS_VARIABLES = tuple(f"BRXY_EDGE_TLS_{name}" for name in ("CA", "NAME", "CERT", "KEY"))

_PLAIN = {**OPTIONS, "generation": r"\d{1,30}", "token": r"[!-~]{1,255}"}

# Until the reactor takes these, they would end us without the app.
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def isPlain(name: str, value: str) -> bool:
    """
    Is this value of an option good beyond doubt?
    """
    return re.fullmatch(_PLAIN[name], value, re.ASCII) is not None


class PlainLine(NamedTuple):
    """
    A command line that is good beyond doubt: as much of it as concerns the app.

    @ivar port: where it is to listen; L{None}: a free port is found.
    """

    command: Sequence[str]
    route: str
    port: int | None


def plainLine(arguments: Sequence[str], environ: Mapping[str, str]) -> PlainLine | None:
    """
    @return: what a command line of the node says, in the environment that
        completes it; L{None} unless it is good beyond doubt.
    """
    values = {name: environ[key] for key, name in _VARIABLES.items() if environ.get(key)}
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        argument = rest.pop(0)
        if argument == "--":
            break
        if argument == _FLAG:
            continue
        name, equals, value = _SHORT.get(argument, argument).partition("=")
        if name[2:] not in OPTIONS or not (equals or rest):
            return None
        values[name[2:]] = value if equals else rest.pop(0)
    # Whether its files can be used takes long to see.
    if any(environ.get(variable) for variable in _TLS_VARIABLES):
        return None
    if not rest or not all(isPlain(name, value) for name, value in values.items()):
        return None
    port = values.get("app-port")
    return PlainLine(rest, values.get("route", "default"), None if port is None else int(port))


class Early:
    """
    Starts the app of this process, once, and keeps it until the node is there.
    """

    def __init__(self) -> None:
        self._started: tuple[Launched, int] | None = None

    def start(
        self, command: Sequence[str], route: str, port: int | None, environ: Mapping[str, str]
    ) -> None:
        """
        Start the app, unless it was started already.  If it can't be, the node
        will find out, and say so.

        @param port: where it is to listen; L{None}: a free port is found.
        """
        if self._started is not None or (port is not None and not isFree(port, reuse=True)):
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            port = PORTS.take() if port is None else port
            argv = appCommand(command, port, HOST, route)
            launched = launch(argv, appEnvironment(environ, port, HOST, route), True)
        except SpawnFailed:
            _takeSignals()
            return
        self._started = launched, port
        atexit.register(self._abandon)

    def take(self, reactor: Any) -> tuple[Launched, int] | None:
        """
        @return: the app and the port it was told, if one was started; whoever
            calls this sees to its end from now on.
        """
        started, self._started = self._started, None
        if started is not None:
            reactor.callWhenRunning(_takeSignals)
        return started

    def _abandon(self) -> None:
        """
        This process ends.
        """
        if self._started is not None:
            signalGroup(self._started[0].pid, signal.SIGKILL)


def _takeSignals() -> None:
    """
    Signals that came meanwhile come now.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


# The one of this process.
EARLY = Early()
