"""
A connection to an edge that is made again whenever it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from random import uniform
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.node.edgeend import Refused
from brxy.node.slot import EdgeSlot, EdgeSlotFactory

__all__ = ["Link", "WatchedEndpoint"]

# An edge that restarts is back soon, and its instances should be too.
_RETRY = backoffPolicy(initialDelay=0.1, maxDelay=5.0, factor=1.5, jitter=lambda: uniform(0, 0.2))


class Link(ClientService):
    """
    Keeps one slot open.

    L{ClientService} could wait for WELCOME in C{prepareConnection}, but it raises
    C{NoTransition} when a connection is lost before that.  So every connection is a
    success for it, and this class counts those that the edge did not admit: the pause
    before the next attempt grows with their number.

    @param up: called whenever the edge has admitted the node.
    @param down: called with the reason whenever an attempt failed.
    @param refused: called with the reason whenever the edge refused the node; without it,
        C{down} is.
    """

    # The owner logs failures, once; ClientService would log each attempt.
    _log = Logger(observer=LogPublisher())

    def __init__(
        self,
        endpoint: IStreamClientEndpoint,
        slots: EdgeSlotFactory,
        clock: Any,
        up: Callable[[], None],
        down: Callable[[str], None],
        refused: Callable[[str], None] | None = None,
    ) -> None:
        self._failures = 0
        self._up = up
        self._down = down
        self._refused = refused or down
        super().__init__(
            WatchedEndpoint(endpoint, self._failed),
            _Greeted(slots, self._welcomed, self._failed),
            retryPolicy=self._pause,
            clock=clock,
        )

    def _pause(self, _: int) -> float:
        self._failures += 1
        return _RETRY(self._failures)

    def _welcomed(self, _: object) -> None:
        self._failures = 0
        self._up()

    def _failed(self, failure: Failure) -> None:
        # Being stopped is no failure.
        if self.running:
            report = self._refused if failure.check(Refused) else self._down
            report(failure.getErrorMessage())


@implementer(IStreamClientEndpoint)
class WatchedEndpoint:
    """
    An endpoint that reports each attempt that failed.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, failed: Callable[[Failure], None]) -> None:
        self._endpoint = endpoint
        self._failed = failed

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint}.
        """
        return self._endpoint.connect(protocolFactory).addErrback(self._report)

    def _report(self, failure: Failure) -> Failure:
        self._failed(failure)
        return failure


class _Greeted(Factory):
    """
    Makes slots, and reports whether the edge admits them.
    """

    noisy = False

    def __init__(
        self,
        slots: EdgeSlotFactory,
        welcomed: Callable[[object], None],
        failed: Callable[[Failure], None],
    ) -> None:
        self._slots = slots
        self._welcomed = welcomed
        self._failed = failed

    def buildProtocol(self, addr: IAddress | None) -> EdgeSlot:
        """
        See L{Factory}.
        """
        slot = self._slots.buildProtocol(addr)
        slot.welcomed.addCallbacks(self._welcomed, self._failed)
        return slot
