"""
The life of an instance, as every spawner reports it to the edge.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.interfaces import Address, Gone, IInstance
from brxy.readiness import ANY, Question, answering
from brxy.values.reports import fewReports

__all__ = ["BaseInstance"]


@implementer(IInstance)
class BaseInstance:
    """
    One instance.  A subclass says how it runs and how it is stopped, and calls L{live}, or
    L{report} and L{finish}.

    @ivar ready: see L{IInstance}.
    @ivar gone: see L{IInstance}.
    @ivar lacking: why it is not ready, in words for a log; C{""} if that is not known.
    @ivar over: fires after C{gone}, when the spawner has nothing more to do with it.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.over: Deferred[None] = Deferred()
        self.lacking = ""
        self._answers: Deferred[str] | None = None

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        raise NotImplementedError

    # For subclasses

    @property
    def awaited(self) -> bool:
        """
        L{awaitReady} was called.
        """
        return self._answers is not None

    def awaitReady(
        self,
        reactor: Any,
        address: Address,
        question: Question = ANY,
        report: Callable[[str], None] = lambda lacking: None,
    ) -> None:
        """
        Have C{ready} fire once an app answers.  Does nothing when called again.

        @param question: what must be answered.
        @param report: called with what is lacking.
        """
        if self._answers is not None:
            return
        report = fewReports(report)

        def note(outcome: str) -> None:
            self.lacking = f"the app {outcome}"
            report(self.lacking)

        self._answers = answering(reactor, [address.host], address.port, question, note)
        self._answers.addCallbacks(
            lambda _: self._answered(address), lambda failure: failure.trap(CancelledError)
        )

    def _answered(self, address: Address) -> None:
        self.lacking = ""
        self.ready.callback(address)

    def stopWaiting(self) -> None:
        """
        The instance ends: C{ready} does not fire any more.
        """
        if self._answers is not None:
            self._answers.cancel()

    def live(self, life: Coroutine[Any, Any, Gone]) -> Deferred[None]:
        """
        Run the whole life of the instance.

        @param life: returns how the instance ended, when nothing is left of it.
        @return: fires when it is over; may be cancelled, if C{life} expects that.
        """
        running = Deferred.fromCoroutine(life)
        return running.addErrback(self._broken).addCallback(self.finish)

    def _broken(self, failure: Failure) -> Gone:
        self._log.failure("an instance is lost", failure)
        return Gone("brxy failed to follow it")

    def report(self, gone: Gone) -> None:
        """
        The instance is gone, though the spawner still has something to do with it.
        """
        self.stopWaiting()
        self.gone.callback(gone)

    def finish(self, gone: Gone) -> None:
        """
        The instance is gone, and over.
        """
        self.report(gone)
        self.over.callback(None)
