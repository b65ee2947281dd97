"""
A client of the Docker Engine API, as U{https://docs.docker.com/engine/api/}
describes it.

Paths have no version in front, which every daemon takes for its own newest: what is used
here means the same in all of them, and there is no version that old and new ones have in
common.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from operator import call
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint

from brxy.errors import BadSpawnSpec
from brxy.reactor.turns import TurnQueue
from brxy.spawners.api.client import DaemonClient
from brxy.spawners.api.errors import Refused
from brxy.spawners.api.link import CONNECT_TIMEOUT, Link

__all__ = [
    "ANSWER_TIMEOUT",
    "DEFAULT_HOST",
    "Engine",
    "labelFilter",
    "socketFault",
]

#: Where the daemon is, unless C{DOCKER_HOST} says otherwise.
DEFAULT_HOST = "unix:///var/run/docker.sock"

#: Seconds for an answer.  Starting a container takes 0.4 s, and each some more
#: when many start at once.
ANSWER_TIMEOUT = 60.0

# Bytes of an answer, and of one line of a stream: a container in a list takes
# some 2 KiB, and an edge has hundreds of them at most.
_LONGEST = 8 << 20


def labelFilter(labels: Mapping[str, str], **more: list[str]) -> str:
    """
    Write the C{filters} of a query for everything that has all of these labels.

    @param more: other filters.
    """
    return json.dumps({"label": [f"{name}={value}" for name, value in labels.items()], **more})


def _endpoint(reactor: Any, host: str) -> IStreamClientEndpoint:
    """
    @raise BadSpawnSpec: C{host} is not an address of a supported kind.
    """
    url = urlsplit(host)
    try:
        if url.scheme == "unix" and not url.netloc and url.path:
            return UNIXClientEndpoint(reactor, url.path, timeout=CONNECT_TIMEOUT)
        if url.scheme == "tcp" and url.hostname:
            return HostnameEndpoint(reactor, url.hostname, url.port or 2375, CONNECT_TIMEOUT)
    except ValueError:
        pass
    raise BadSpawnSpec(f"DOCKER_HOST {host!r} is neither unix:///PATH nor tcp://HOST:PORT")


def socketFault(host: str) -> str:
    """
    Find out at once whether a daemon with a Unix socket is there.

    @param host: see L{Engine}.
    @return: why it can't be reached; C{""} if it can, or is not on a Unix socket.
    """
    url = urlsplit(host)
    if url.scheme != "unix":
        return ""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(url.path)
        except BlockingIOError:
            # It is busy.
            pass
        except OSError as error:
            return error.strerror or str(error)
    return ""


class Engine(DaemonClient):
    """
    The daemon at one address.

    @param host: its address in the form of C{DOCKER_HOST}: C{unix:///PATH} or
        C{tcp://HOST:PORT}.
    @ivar local: it is on a Unix socket, so most probably on this machine.
    @raise BadSpawnSpec: C{host} is not such an address.
    """

    def __init__(self, reactor: Any, host: str = DEFAULT_HOST) -> None:
        super().__init__(
            reactor,
            f"dockerd at {host}",
            f"http://{urlsplit(host).netloc or 'docker'}",
            timeout=ANSWER_TIMEOUT,
            longest=_LONGEST,
            longest_line=_LONGEST,
        )
        self._endpoint = _endpoint(reactor, host)
        self.local = urlsplit(host).scheme == "unix"
        # A request takes a third of a millisecond to make, and its answer half of one to
        # take; twenty at once would keep all clients waiting.
        self._turns: TurnQueue[Callable[[], object]] = TurnQueue(reactor, call)

    async def open(self) -> tuple[Link, Mapping[str, str]]:
        """
        See L{DaemonClient}.
        """
        turn: Deferred[None] = Deferred()
        self._turns.add(lambda: turn.callback(None))
        await turn
        return Link(self._endpoint, self._turns), {}

    def refusal(self, status: int, body: bytes, retry_after: str | None) -> Refused:
        """
        See L{DaemonClient}.
        """
        return Refused(_message(body, status), status)


def _message(body: bytes, status: int) -> str:
    """
    Return the message in an answer that reports an error.
    """
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["message"])
    return f"dockerd answered with status {status}"
