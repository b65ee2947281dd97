"""
Finds out whether an app answers that the node has not started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.interfaces import Address
from brxy.readiness import Question, answering
from brxy.values.reports import fewReports

__all__ = ["Target"]

# An app that answers within this gets no line that it is waited for (seconds).
_PATIENCE = 0.5


class Target:
    """
    Waits until an app answers that the node has not started, and again whenever it can't be
    reached.

    @ivar up: it answers, as far as is known.
    @param question: what it must answer.
    @param answers: called each time the app answers after it did not.
    @param lost: called each time the app can't be reached any more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        route: str,
        address: Address,
        question: Question,
        answers: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self.up = False
        self._reactor = reactor
        self._route = route
        self._address = address
        self._question = question
        self._answers = answers
        self._lost = lost
        self._waiting: Deferred[str] | None = None
        self._saying: IDelayedCall | None = None

    def start(self) -> None:
        """
        Begin to wait for the app.
        """
        self._saying = self._reactor.callLater(_PATIENCE, self._sayWaiting)
        self._wait()

    def lose(self) -> None:
        """
        The app could not be reached for an exchange.  Does nothing if that is known.
        """
        if not self.up:
            return
        self.up = False
        self._log.warn(
            "{route}: the app at {address} cannot be reached any more: waiting until it answers",
            route=self._route,
            address=self._address,
        )
        self._lost()
        self._wait()

    def stop(self) -> None:
        """
        Wait no more.
        """
        self.up = False
        self._sayNothing()
        if self._waiting is not None:
            self._waiting.cancel()

    def _wait(self) -> None:
        host, port = self._address.host, self._address.port
        report = fewReports(self._sayLacking)
        self._waiting = answering(
            self._reactor, [host], port, self._question, lambda what: report(f"the app {what}")
        )
        self._waiting.addCallbacks(self._answered, self._cancelled)
        self._waiting.addErrback(lambda failure: self._log.failure("while waiting", failure))

    def _answered(self, host: str) -> None:
        self._waiting = None
        self._sayNothing()
        self.up = True
        self._log.info(
            "{route}: the app answers at {address}", route=self._route, address=self._address
        )
        self._answers()

    def _cancelled(self, failure: Failure) -> None:
        failure.trap(CancelledError)

    # What the log has of it

    def _sayNothing(self) -> None:
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None

    def _sayWaiting(self) -> None:
        self._saying = None
        self._log.info(
            "{route}: waiting until the app at {address} answers",
            route=self._route,
            address=self._address,
        )

    def _sayLacking(self, lacking: str) -> None:
        self._log.info("{route}: not ready yet: {lacking}", route=self._route, lacking=lacking)
