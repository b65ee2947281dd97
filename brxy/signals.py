"""
Signals that twistd leaves to us.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList

__all__ = ["Hurry", "onSignal"]


def onSignal(reactor: Any, number: int, call: Callable[[], object]) -> None:
    """
    Have a function called in the reactor whenever a signal comes.
    """
    signal.signal(number, lambda *_: reactor.callFromThread(call))


class Hurry:
    """
    Ends a graceful stop early: when its time is over, or when a second
    SIGTERM or Ctrl-C says that it takes too long.

    @ivar now: fires then, with the reason.
    """

    def __init__(self, reactor: Any, timeout: float) -> None:
        self.now: Deferred[str] = Deferred()
        self._timer = reactor.callLater(timeout, self._fire, f"{timeout:g} s are over")
        for number in (signal.SIGTERM, signal.SIGINT):
            onSignal(reactor, number, lambda: self._fire("told to stop at once"))

    def _fire(self, reason: str) -> None:
        if not self.now.called:
            self.now.callback(reason)

    async def orWhen(self, done: Deferred[Any]) -> None:
        """
        Wait until something is done, or it has to be hurried.
        """
        await DeferredList([done, self.now], fireOnOneCallback=True)

    def stop(self) -> None:
        """
        It is over anyway.
        """
        if self._timer.active():
            self._timer.cancel()
