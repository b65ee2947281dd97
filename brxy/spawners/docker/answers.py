"""
What a Docker daemon answers: taken as it comes, within bounds, and what can be
wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from brxy.errors import BrxyError
from brxy.values.text import oneLine

__all__ = ["EngineError", "EngineUnreachable", "Lines", "Stream", "Whole", "parsed"]

# Bytes of an answer, and of one line of a stream: a container in a list takes
# some 2 KiB, and an edge has hundreds of them at most.
_LONGEST = 8 << 20


class EngineError(BrxyError):
    """
    The daemon refused something.

    @ivar status: of its answer, see the API; 0 if there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(oneLine(message))
        self.status = status


class EngineUnreachable(EngineError):
    """
    There was no answer: nobody knows whether it was done.
    """


class Stream(Protocol):
    """
    The body of an answer, passed on as it comes.

    @ivar over: fires when it is whole, and fails when the connection broke.
    """

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.over: Deferred[None] = Deferred(lambda _: self.hangUp())
        self._receive = receive

    def dataReceived(self, data: bytes) -> None:
        """
        A part of it.
        """
        if self.over.called:
            return
        try:
            self._receive(data)
        except EngineError:
            self.over.errback(Failure())
            self.hangUp()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        That was all, or the connection broke.
        """
        if self.over.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.over.callback(None)
        else:
            self.over.errback(reason)

    def hangUp(self) -> None:
        """
        Take no more.
        """
        if self.transport is not None:
            self.transport.loseConnection()


class Whole:
    """
    Collects a body that is not too long.
    """

    def __init__(self) -> None:
        self.data = bytearray()

    def __call__(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > _LONGEST:
            raise EngineError("dockerd: an answer is too long")


class Lines:
    """
    Takes a stream of JSON objects apart, one a line.
    """

    def __init__(self, receive: Callable[[Any], None]) -> None:
        self._receive = receive
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            raise EngineError("dockerd: a line is too long")
        for line in lines:
            if line.strip():
                self._receive(parsed(line))


def parsed(data: bytes | bytearray) -> Any:
    """
    An answer's JSON.

    @raise EngineError: it is none.
    """
    try:
        return json.loads(data)
    except ValueError:
        raise EngineError("dockerd: an answer is no JSON") from None
