"""
The lives of the instances of the last ten minutes, and the last starts of each route.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from time import time

from brxy.edge.admin.history.life import Life
from brxy.edge.events import (
    DialledIn,
    Drains,
    Event,
    GivenUp,
    Gone,
    InstanceEvent,
    Ordered,
    Ready,
    Retires,
    StartFailed,
)
from brxy.scaler.instance import Instance

__all__ = ["ENDED", "KEPT", "ROUTES", "STARTS", "Timeline"]

#: Seconds for which an instance is kept that is gone.
KEPT = 600.0

#: How many of them are kept at most.
ENDED = 1000

#: How many starts of a route are kept.
STARTS = 20

#: Of how many routes, those that were started last.
ROUTES = 1000


class Timeline:
    """
    A listener of events.

    @ivar revision: of the last change.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        find: Callable[[str], Instance | None],
        lastLine: Callable[[str], str],
        now: Callable[[], float] = time,
    ) -> None:
        """
        @param find: returns the instance with a ticket.
        @param lastLine: returns the last line that one has printed.
        @param now: returns the seconds since 1970.
        """
        self._seconds = seconds
        self._find = find
        self._lastLine = lastLine
        self._now = now
        self._lives: dict[str, Life] = {}
        self._ended: deque[Life] = deque(maxlen=ENDED)
        self._starts: OrderedDict[str, deque[Life]] = OrderedDict()
        self.revision = 0
        self._handlers: dict[type[Event], Callable[..., None]] = {
            Ordered: self._ordered,
            DialledIn: self._dialledIn,
            Ready: self._ready,
            Drains: self._drains,
            Retires: self._retires,
            StartFailed: self._startFailed,
            GivenUp: self._givenUp,
            Gone: self._gone,
        }

    def begin(self, instances: Iterable[Instance]) -> None:
        """
        @param instances: those that there are already.
        """
        for each in instances:
            self._add(each)

    def __call__(self, event: Event) -> None:
        """
        Something happened.
        """
        handler = self._handlers.get(type(event))
        if handler is None:
            return
        assert isinstance(event, InstanceEvent)
        life = self._lives.get(event.ticket)
        if life is None:
            instance = self._find(event.ticket)
            if instance is None:
                return
            life = self._add(instance)
        handler(event, life)
        self._changed(life)

    def _add(self, instance: Instance) -> Life:
        life = self._lives[instance.ticket] = Life(
            instance.ticket,
            instance.route,
            instance.spawn,
            instance,
            self._now() - self._seconds(),
            instance.ordered_at,
            ready=instance.ready_since,
        )
        if life.ready is not None:
            life.outcome = "ready"
        self._changed(life)
        return life

    def _changed(self, life: Life) -> None:
        self.revision = life.revision = self.revision + 1

    # What happens

    def _ordered(self, event: Ordered, life: Life) -> None:
        life.started, life.given = True, self._seconds()
        starts = self._starts.get(life.route)
        if starts is None:
            starts = self._starts[life.route] = deque(maxlen=STARTS)
            if len(self._starts) > ROUTES:
                self._starts.popitem(last=False)
        self._starts.move_to_end(life.route)
        starts.append(life)

    def _dialledIn(self, event: DialledIn, life: Life) -> None:
        if life.connected is None:
            life.connected = self._seconds()

    def _ready(self, event: Ready, life: Life) -> None:
        life.ready, life.outcome = self._seconds(), "ready"

    def _drains(self, event: Drains, life: Life) -> None:
        life.draining, life.end = self._seconds(), "idle"

    def _retires(self, event: Retires, life: Life) -> None:
        self._leaves(life, "given_up", "retired")

    def _startFailed(self, event: StartFailed, life: Life) -> None:
        life.outcome, life.reason = "failed", event.reason

    def _givenUp(self, event: GivenUp, life: Life) -> None:
        self._leaves(life, "timeout" if event.late else "given_up", "killed")
        life.reason = event.reason

    def _leaves(self, life: Life, outcome: str, end: str) -> None:
        if life.draining is None:
            life.draining = self._seconds()
        if life.ready is not None:
            life.end = end
        elif life.outcome == "starting":
            life.outcome = outcome

    def _gone(self, event: Gone, life: Life) -> None:
        life.gone, life.instance = self._seconds(), None
        life.reason = life.reason or event.reason
        life.last_line = self._lastLine(life.ticket)
        if life.ready is not None:
            life.end = life.end or "exit"
        elif life.outcome == "starting":
            life.outcome = "exit"
        del self._lives[life.ticket]
        self._ended.append(life)
        self._forget()

    def _forget(self) -> None:
        until = self._seconds() - KEPT
        while self._ended and (self._ended[0].gone or 0.0) < until:
            self._ended.popleft()

    # What is known

    def instances(self) -> Iterator[Instance]:
        """
        All that there are.
        """
        for each in self._lives.values():
            if each.instance is not None:
                yield each.instance

    def lives(self, after: int = 0) -> Sequence[Life]:
        """
        The lives that are kept, those that are over first.

        @param after: only those that have changed since this revision.
        """
        self._forget()
        return [each for each in chain(self._ended, self._lives.values()) if each.revision > after]

    def starts(self, route: str) -> Sequence[Life]:
        """
        The last starts of a route, the latest first.
        """
        return list(reversed(self._starts.get(route, ())))
