"""
Bodies of answers: taken as they come, within bounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from brxy.spawners.api.errors import Unreachable

__all__ = ["Body", "Lines", "Whole"]


class Body(Protocol):
    """
    The body of one answer, passed on as it comes.

    @ivar over: fires when the body is complete; fails when the connection broke, or
        with the error that C{receive} raised.
    @param receive: called with each part.
    """

    def __init__(self, receive: Callable[[bytes], None]) -> None:
        self.over: Deferred[None] = Deferred()
        self._receive = receive
        self._silence: IDelayedCall | None = None
        self._seconds = 0.0

    def limitSilence(self, clock: Any, seconds: float) -> None:
        """
        From now on, fail with L{Unreachable} once nothing has come for this long.

        @param clock: an C{IReactorTime}.
        """
        silent = Unreachable(f"it said nothing for {seconds:g} s")
        self._seconds = seconds
        self._silence = clock.callLater(seconds, self.end, Failure(silent))

    def dataReceived(self, data: bytes) -> None:
        """
        See L{Protocol}.
        """
        if self.over.called:
            return
        if self._silence is not None and self._silence.active():
            self._silence.reset(self._seconds)
        try:
            self._receive(data)
        except Exception:
            self.end(Failure())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{Protocol}.
        """
        complete = reason.check(ResponseDone, PotentialDataLoss)
        self.end(None if complete else reason)

    def end(self, result: Failure | None) -> None:
        """
        Take no more.  Does nothing when called again.
        """
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        if not self.over.called:
            if result is None:
                self.over.callback(None)
            else:
                self.over.errback(result)


class Whole:
    """
    Collects a body.

    @ivar data: what has come.
    @param longest: more bytes than this are an error.
    """

    def __init__(self, longest: int) -> None:
        self.data = bytearray()
        self._longest = longest

    def __call__(self, data: bytes) -> None:
        """
        Add a part.

        @raise Unreachable: the body is too long.
        """
        self.data += data
        if len(self.data) > self._longest:
            self.data.clear()
            raise Unreachable(f"an answer is longer than {self._longest} bytes")


class Lines:
    """
    Splits a body that is one JSON object a line.

    @param receive: called with each object.
    @param longest: a line of more bytes than this is an error.
    """

    def __init__(self, receive: Callable[[Any], None], longest: int) -> None:
        self._receive = receive
        self._longest = longest
        self._rest = b""

    def __call__(self, data: bytes) -> None:
        """
        Take a part.

        @raise Unreachable: a line is too long, or no JSON object.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._receive(_parsed(line))
        if len(self._rest) > self._longest:
            raise Unreachable(f"a line of an answer is longer than {self._longest} bytes")


def _parsed(line: bytes) -> Any:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreachable("a line of an answer is not a JSON object")
    return found
