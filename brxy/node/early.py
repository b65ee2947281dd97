"""
The app of a node, started before the node has loaded.

To load Twisted takes 0.3 s, longer than many apps need to start.  So the app is started
first: before anything else is loaded if the command line is plainly good, and otherwise
as soon as it is parsed.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

import atexit
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brxy.apps.command import HOST, PLAIN, Surroundings, appCommand, appEnvironment
from brxy.errors import SpawnFailed
from brxy.processes.launch import Launched, launch
from brxy.processes.ports import PORTS

__all__ = ["EARLY", "OPTIONS", "Early", "PlainLine", "isPlain", "plainLine"]

_SECONDS = r"\d{1,9}(\.\d{1,9})?(ms|[smhd])?"

#: Options, and patterns of values that are surely good.  Other options and values may be
#: good too: the node's own parser decides.
OPTIONS = {
    "edge": r"tcp:[a-z0-9.-]+:\d{1,5}|unix:[\w./-]+",
    "route": r"[a-z0-9]{1,60}([.-][a-z0-9]{1,60}){0,3}",
    "capacity": r"auto|[1-9]\d{0,3}",
    "max-capacity": r"[1-9]\d{0,3}",
    "speaks-first": "client|server",
    "app-port": r"[1-9]\d{0,3}|[1-5]\d{4}",
    "ready-path": r"/[!-~]*",
    "idle-timeout": _SECONDS,
    "old-idle-timeout": _SECONDS,
    "send-proxy": r"v[12]",
    "stop-signal": "(SIG)?(HUP|INT|QUIT|TERM|USR1|USR2)",
    "stop-timeout": _SECONDS,
    "drain-timeout": _SECONDS,
    "transport": r"epoll|reactor",
    "log-format": r"text|json",
}

_FLAG = "--exit-on-stdin-eof"

_SHORT = {"-c": "--capacity"}

# Variables that an edge sets for a node.
_VARIABLES = {
    "BRXY_EDGE": "edge",
    "ROUTE": "route",
    "BRXY_CAPACITY": "capacity",
    "BRXY_MAX_CAPACITY": "max-capacity",
    "BRXY_SPEAKS_FIRST": "speaks-first",
    "BRXY_IDLE_TIMEOUT": "idle-timeout",
    "BRXY_OLD_IDLE_TIMEOUT": "old-idle-timeout",
    "BRXY_SEND_PROXY": "send-proxy",
    "BRXY_GENERATION": "generation",
    "BRXY_TOKEN": "token",
}

_TLS_VARIABLES = tuple(f"BRXY_EDGE_TLS_{name}" for name in ("CA", "NAME", "CERT", "KEY"))

_PLAIN = {**OPTIONS, "generation": r"\d{1,30}", "token": r"[!-~]{1,255}"}

# Before the reactor handles these, they would end this process but not the app.
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def isPlain(name: str, value: str) -> bool:
    """
    @return: whether this value of an option is surely good.
    """
    return re.fullmatch(_PLAIN[name], value, re.ASCII) is not None


class PlainLine(NamedTuple):
    """
    The part of a surely good command line that concerns the app.

    @ivar port: where the app listens; L{None}: on a free port.
    """

    command: Sequence[str]
    route: str
    port: int | None


def plainLine(arguments: Sequence[str], environ: Mapping[str, str]) -> PlainLine | None:
    """
    @param environ: the defaults of some options.
    @return: what concerns the app; L{None} unless the command line is surely good.
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
    # Checking the files of TLS takes long.
    if any(environ.get(variable) for variable in _TLS_VARIABLES):
        return None
    if not rest or not all(isPlain(name, value) for name, value in values.items()):
        return None
    port = values.get("app-port")
    return PlainLine(rest, values.get("route", "default"), None if port is None else int(port))


class Early:
    """
    Starts the app of this process, once, and holds it until the node takes it over.
    """

    def __init__(self) -> None:
        self._started: tuple[Launched, int] | None = None

    def start(
        self,
        command: Sequence[str],
        route: str,
        port: int | None,
        environ: Mapping[str, str],
        surroundings: Surroundings = PLAIN,
    ) -> None:
        """
        Start the app, unless it was started already.  If it can't be started, the node
        will find out and report it.

        @param port: where it listens; L{None}: on a free port.
        """
        if self._started is not None:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        given = port
        try:
            if port is None:
                port = PORTS.take()
            else:
                PORTS.claim(port)
            argv = appCommand(command, port, HOST, route)
            environment = appEnvironment(environ, port, HOST, route, surroundings)
            launched = launch(argv, environment, True, surroundings.place)
        except SpawnFailed:
            # The node will claim it.
            PORTS.release(given or 0)
            _takeSignals()
            return
        self._started = launched, port
        atexit.register(self._abandon)

    def takeApp(self, reactor: Any) -> tuple[Launched, int] | None:
        """
        @return: the app and its port, if one was started.  The caller must end it from
            now on.
        """
        started, self._started = self._started, None
        if started is not None:
            reactor.callWhenRunning(_takeSignals)
        return started

    def _abandon(self) -> None:
        """
        Kill the app: this process ends without a node.
        """
        if self._started is not None:
            # Loads Twisted's logger, and most starts don't come here.
            from brxy.processes.family import Family

            Family(self._started[0]).kill()


def _takeSignals() -> None:
    """
    Let signals through, also those that came meanwhile.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


# The app of this process.
EARLY = Early()
