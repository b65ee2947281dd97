"""
Signals that twistd leaves to us.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ReactorNotRunning

__all__ = ["Grace", "firstOf", "onSignal", "stopOnce"]


def onSignal(reactor: Any, number: int, call: Callable[[], object]) -> None:
    """
    Have a function called in the reactor whenever a signal comes.
    """
    signal.signal(number, lambda *_: reactor.callFromThread(call))


def stopOnce(reactor: Any) -> None:
    """
    Have the reactor take it lightly when it is told to stop a second time, by
    two signals in one turn, say: it would complain, with a traceback.
    """
    stop = reactor.stop

    def stopOnce() -> None:
        with suppress(ReactorNotRunning):
            stop()

    reactor.stop = stopOnce


async def firstOf(*which: Deferred[Any]) -> None:
    """
    Wait for one of these.
    """
    await DeferredList(which, fireOnOneCallback=True)


class Grace:
    """
    Ends a graceful stop early: when its time is over, or when a second
    SIGTERM or Ctrl-C says that it takes too long.

    @ivar now: fires in both cases.
    @ivar told: fires only for the signal.
    """

    def __init__(self, reactor: Any, timeout: float) -> None:
        self.now: Deferred[None] = Deferred()
        self.told: Deferred[None] = Deferred()
        self._timer = reactor.callLater(timeout, _fire, self.now)
        for number in (signal.SIGTERM, signal.SIGINT):
            onSignal(reactor, number, self._tell)

    def _tell(self) -> None:
        _fire(self.now)
        _fire(self.told)

    def stop(self) -> None:
        """
        It is over anyway.
        """
        if self._timer.active():
            self._timer.cancel()


def _fire(which: Deferred[None]) -> None:
    if not which.called:
        which.callback(None)
