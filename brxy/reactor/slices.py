"""
Work that would block the reactor if it was done at once, and that has many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from time import perf_counter
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from brxy.reactor.turns import TurnQueue

__all__ = ["SLICE", "atOnce", "inSlices"]

# Seconds of work in one turn of the reactor, to which the last step adds up to 3 ms.  A turn has
# other work, too.
SLICE = 0.001

_T = TypeVar("_T")

_Work = Generator[None, None, _T]


def inSlices(
    clock: Any, work: _Work[_T], seconds: Callable[[], float] = perf_counter
) -> Deferred[_T]:
    """
    Do some work in slices, one in each turn of the reactor.  The first one is done at once.

    @param work: a generator that yields after each step; a step must be short.
    @param seconds: measures how long a slice takes.
    @return: fires with what the generator returns, or fails with what it raises.
    """
    done: Deferred[_T] = Deferred()

    def go(_: object) -> None:
        until = seconds() + SLICE
        try:
            while seconds() < until:
                next(work)
        except StopIteration as end:
            done.callback(end.value)
        except Exception:
            done.errback(Failure())
        else:
            queue.add(object())

    queue: TurnQueue[object] = TurnQueue(clock, go)
    queue.add(object())
    return done


def atOnce(work: _Work[_T]) -> _T:
    """
    Do all of some work now.

    @param work: as for L{inSlices}.
    @return: what the generator returns.
    """
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _T = end.value
            return result
