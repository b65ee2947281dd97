"""
What the Kubernetes API answers, as it comes.
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

from brxy.spawners.kubernetes.status import Unreachable

__all__ = ["Lines", "Whole"]

# The list of all Pods of an edge, or one event about one of them: an object of
# the API is 1.5 MiB at most, and ours are some KiB.
_MAX_WHOLE = 64 * 2**20
_MAX_LINE = 4 * 2**20


class _Body(Protocol):
    """
    @ivar over: fires when it has come to its end.
    """

    def __init__(self) -> None:
        self.over: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        That was all, or the connection broke.
        """
        if reason.check(ResponseDone, PotentialDataLoss):
            self.end(None)
        else:
            self.end(reason)

    def end(self, result: Failure | None) -> None:
        """
        Nothing more is wanted.
        """
        if not self.over.called:
            if result is None:
                self.over.callback(None)
            else:
                self.over.errback(result)


class Whole(_Body):
    """
    Takes all of an answer.

    @ivar data: what has come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """
        A part of it.
        """
        self.data += data
        if len(self.data) > _MAX_WHOLE:
            self.data.clear()
            self.end(Failure(Unreachable("the answer has no end", sent=True)))


class Lines(_Body):
    """
    Takes an answer that is a JSON object a line.

    @param receive: called with each; what it raises ends it.
    @param silence: seconds without a byte that are too many.
    """

    def __init__(self, receive: Callable[[Any], None], reactor: Any, silence: float) -> None:
        super().__init__()
        self._receive = receive
        self._reactor = reactor
        self._silence = silence
        self._rest = b""
        self._limit: IDelayedCall | None = None

    async def wait(self) -> None:
        """
        Wait until it is over.

        @raise Unreachable: nothing came for too long, or what can't be
            understood.
        """
        silent = Unreachable(f"it said nothing for {self._silence:g} s", sent=True)
        self._limit = self._reactor.callLater(self._silence, self.end, Failure(silent))
        try:
            await self.over
        finally:
            if self._limit.active():
                self._limit.cancel()

    def dataReceived(self, data: bytes) -> None:
        """
        A part of it.
        """
        if self.over.called:
            return
        if self._limit is not None and self._limit.active():
            self._limit.reset(self._silence)
        *lines, self._rest = (self._rest + data).split(b"\n")
        try:
            for line in filter(None, lines):
                self._receive(json.loads(line))
            if len(self._rest) > _MAX_LINE:
                raise Unreachable("a line of the watch has no end", sent=True)
        except ValueError:
            self.end(Failure(Unreachable("the watch is no JSON", sent=True)))
        except Exception:
            self.end(Failure())
