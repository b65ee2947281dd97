"""
Counts starts and ends of instances, from the events of an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from attrs import define

from brxy.edge.events import (
    BadResponse,
    DialledIn,
    Drains,
    Event,
    ExchangeLost,
    GivenUp,
    Gone,
    InstanceEvent,
    Ordered,
    Ready,
    Retires,
    StartFailed,
    Unresponsive,
)
from brxy.edge.metrics import instancetable as table
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.metric import OWN
from brxy.edge.metrics.requesttable import APP_ERRORS
from brxy.edge.metrics.series import Family, Histogram, Labels, Numbers

__all__ = ["Lives"]


@define
class _Life:
    """
    What the events have said of one instance.

    @ivar labels: its route and its spawner.
    @ivar since: when it was ordered, or came.
    @ivar ordered: its order was seen: it is no instance of an earlier run, and did not come
        by itself.
    @ivar connected_at: when its node dialled in.
    @ivar outcome: of its start, if that is known before its end.
    @ivar reason: of its end, if that is known before.
    """

    labels: Labels
    since: float
    ordered: bool = False
    ready: bool = False
    connected_at: float | None = None
    outcome: str = ""
    reason: str = ""


class Lives:
    """
    A listener of L{brxy.edge.events.Events}.
    """

    def __init__(
        self,
        labels: RouteLabels,
        spawner: Callable[[str, str], str | None],
        seconds: Callable[[], float],
    ) -> None:
        """
        @param spawner: returns the name of the spawn of an instance, by its route and
            its ticket.
        """
        self._labels = labels
        self._spawner = spawner
        self._seconds = seconds
        self._lives: dict[str, _Life] = {}
        self._starts = Numbers(table.STARTS)
        self._phases = Histogram(table.START_SECONDS)
        self._stops = Numbers(table.STOPS)
        self._errors = Numbers(APP_ERRORS)
        # Of instances that are gone.
        self._spent = Numbers(table.INSTANCE_SECONDS)
        self._handlers: dict[type[Event], Callable[..., None]] = {
            Ordered: self._ordered,
            DialledIn: self._dialledIn,
            Ready: self._ready,
            StartFailed: self._startFailed,
            Drains: self._drains,
            Retires: self._retires,
            GivenUp: self._givenUp,
            Gone: self._gone,
            ExchangeLost: lambda event: self._failed(event.route, "lost"),
            BadResponse: lambda event: self._failed(event.route, "bad_response"),
            Unresponsive: lambda event: self._failed(event.route, "unresponsive"),
        }

    def __call__(self, event: Event) -> None:
        """
        Count one event.
        """
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def families(self) -> Iterator[Family]:
        """
        The metrics with their values.
        """
        for each in (self._starts, self._stops, self._errors):
            yield each.metric, each.series
        yield self._phases.metric, self._phases.series
        yield table.INSTANCE_SECONDS, self._lived()

    def _lived(self) -> dict[Labels, float]:
        now, lived = self._seconds(), dict(self._spent.series)
        for each in self._lives.values():
            lived[each.labels] = lived.get(each.labels, 0.0) + now - each.since
        return lived

    # Starts

    def _ordered(self, event: Ordered) -> None:
        self._life(event).ordered = True

    def _dialledIn(self, event: DialledIn) -> None:
        life = self._life(event)
        if life.connected_at is None:
            life.connected_at = self._seconds()

    def _ready(self, event: Ready) -> None:
        life = self._life(event)
        life.ready = True
        if life.ordered:
            now = self._seconds()
            connected_at = now if life.connected_at is None else life.connected_at
            self._starts.add(*life.labels, "ready")
            self._took(life, "order", life.since - (now - event.seconds))
            self._took(life, "boot", connected_at - life.since)
            self._took(life, "ready", now - connected_at)
            self._took(life, "total", event.seconds)

    def _took(self, life: _Life, phase: str, seconds: float) -> None:
        self._phases.of(*life.labels, phase).observe(max(0.0, seconds))

    def _startFailed(self, event: StartFailed) -> None:
        self._life(event).outcome = "failed"

    # Ends

    def _drains(self, event: Drains) -> None:
        self._life(event).reason = "idle"

    def _retires(self, event: Retires) -> None:
        self._end(self._life(event), "given_up", "retired")

    def _givenUp(self, event: GivenUp) -> None:
        outcome = "timeout" if event.late else "given_up"
        self._end(self._life(event), outcome, "killed")

    def _end(self, life: _Life, outcome: str, reason: str) -> None:
        life.outcome = life.outcome or outcome
        life.reason = reason

    def _gone(self, event: Gone) -> None:
        life = self._lives.pop(event.ticket, None)
        if life is None:
            return
        self._spent.add(*life.labels, amount=self._seconds() - life.since)
        if life.ready:
            self._stops.add(*life.labels, life.reason or "exit")
        elif life.ordered:
            self._starts.add(*life.labels, life.outcome or "exit")

    # Exchanges

    def _failed(self, route: str, reason: str) -> None:
        self._errors.add(self._labels.of(route), reason)

    def _life(self, event: InstanceEvent) -> _Life:
        life = self._lives.get(event.ticket)
        if life is None:
            spawner = self._spawner(event.route, event.ticket)
            labels = (self._labels.of(event.route), OWN if spawner is None else spawner)
            life = self._lives[event.ticket] = _Life(labels, self._seconds())
        return life
