"""
Performs the decisions of the scaler.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import Protocol

from brxy.edge import events as happened
from brxy.edge.events import Events
from brxy.edge.exchanges.refusals import APP_NOT_STARTED, Refusal
from brxy.edge.fleet.reaches import Reaches
from brxy.edge.fleet.starter import Starter
from brxy.edge.learning import CapacityLearned
from brxy.scaler.decisions import (
    Buried,
    Decision,
    Fail,
    Learned,
    Newest,
    Retire,
    RollFailed,
    Settled,
    Spawn,
    Stop,
)
from brxy.scaler.instance import Instance, State
from brxy.scaler.scaler import Scaler
from brxy.wire.greeting import Hello

__all__ = ["Performer", "Waiters", "endedEarly"]


class Waiters(Protocol):
    """
    What a L{Performer} needs of what brings waiting exchanges to slots.
    """

    def reject(self, route: str, refusal: Refusal) -> None:
        """
        Answer every exchange that waits for a route.
        """

    def withdrawAll(self, instance: Instance) -> None:
        """
        An instance gets no more exchanges.
        """


class Performer:
    """
    Performs the decisions of the scaler, in order.
    """

    def __init__(
        self,
        waiters: Waiters,
        reaches: Reaches,
        starter: Starter,
        events: Events,
        changed: Callable[[], None],
    ) -> None:
        """
        @param changed: called when there is another state to be remembered.
        """
        self._waiters = waiters
        self._reaches = reaches
        self._starter = starter
        self._events = events
        self._changed = changed

    def perform(self, decisions: Iterable[Decision]) -> None:
        """
        Perform these.
        """
        for decision in decisions:
            match decision:
                case Spawn(instance):
                    self._changed()
                    self._starter.start(instance)
                case Retire(instance):
                    self._waiters.withdrawAll(instance)
                    self._events.emit(happened.Retires(instance.route, instance.ticket))
                    self._reaches.retire(instance)
                case Stop(instance, reason, late):
                    if late and self._reaches.get(instance) is None:
                        reason += self._starter.lacking(instance)
                    self._events.emit(
                        happened.GivenUp(instance.route, instance.ticket, reason, late)
                    )
                    self._starter.stop(instance)
                case Newest(instance, newest):
                    self._reaches.setNewest(instance, newest)
                case Buried(instance, reason):
                    self._bury(instance, reason)
                case Fail(route, _, retry_after):
                    self._waiters.reject(route, APP_NOT_STARTED.after(max(1, ceil(retry_after))))
                case RollFailed(route, reason):
                    self._events.emit(happened.RollFailed(route, reason))
                case Settled(instance, capacity):
                    self._events.emit(CapacityLearned(instance.route, instance.ticket, capacity))
                case Learned():
                    self._changed()

    def _bury(self, instance: Instance, reason: str) -> None:
        self._waiters.withdrawAll(instance)
        self._events.emit(happened.Gone(instance.route, instance.ticket, reason))
        self._reaches.close(instance)
        self._starter.forget(instance)
        self._changed()


def endedEarly(scaler: Scaler, hello: Hello, now: float) -> list[Decision]:
    """
    An instance has ended before it was ready.  If its spawner watches it, that reports the
    end as well, once nothing is left.
    """
    for each in scaler.instances(hello.route):
        if each.ticket == hello.ticket and each.state is State.ORDERED and not each.watched:
            return scaler.gone(each.ticket, hello.ended, False, now)
    return []
