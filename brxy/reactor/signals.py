"""
Signals that twistd does not handle, and stopping by signals.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ReactorNotRunning

__all__ = ["Grace", "alsoOnSignal", "firstOf", "onSignal", "stopOnce"]


def onSignal(reactor: Any, number: int, call: Callable[[], object]) -> None:
    """
    Call a function in the reactor's thread whenever a signal arrives.
    """
    signal.signal(number, lambda *_: reactor.callFromThread(call))


def alsoOnSignal(reactor: Any, number: int, call: Callable[[], object]) -> None:
    """
    L{onSignal}, after what is called already when this signal arrives.
    """
    before = signal.getsignal(number)

    def arrived(*args: Any) -> None:
        if callable(before):
            before(*args)
        reactor.callFromThread(call)

    signal.signal(number, arrived)


def stopOnce(reactor: Any) -> None:
    """
    Let C{reactor.stop} do nothing if the reactor is stopping already, for example because
    of two signals in one turn.  Otherwise the log would get a traceback.
    """
    stop = reactor.stop

    def stopOnce() -> None:
        with suppress(ReactorNotRunning):
            stop()

    reactor.stop = stopOnce


async def firstOf(*which: Deferred[Any]) -> None:
    """
    Wait for the first of several Deferreds.
    """
    await DeferredList(which, fireOnOneCallback=True)


class Grace:
    """
    The time limit of a graceful stop, which a second SIGTERM or Ctrl-C ends early.

    @ivar timeout: seconds that it began with.
    @ivar now: fires when the time is over, or at the signal.
    @ivar signalled: fires only at the signal.
    """

    def __init__(self, reactor: Any, timeout: float) -> None:
        self.timeout = timeout
        self.now: Deferred[None] = Deferred()
        self.signalled: Deferred[None] = Deferred()
        self._timer = reactor.callLater(timeout, _fire, self.now)
        for number in (signal.SIGTERM, signal.SIGINT):
            onSignal(reactor, number, self._onSignal)

    def _onSignal(self) -> None:
        _fire(self.now)
        _fire(self.signalled)

    def stop(self) -> None:
        """
        Stop the timer: the stop has finished.
        """
        if self._timer.active():
            self._timer.cancel()


def _fire(which: Deferred[None]) -> None:
    if not which.called:
        which.callback(None)
