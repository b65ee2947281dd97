"""
An edge for tests of a scaler, which only carries out the scaler's decisions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count

from attrs import evolve

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
from brxy.scaler.instance import MAY, MUST, TABLE, Instance, State
from brxy.scaler.rules import Rule, Rulebook
from brxy.scaler.scaler import Scaler
from brxy.scaler.snapshot import ScalerSnapshot

__all__ = ["EPOCH", "FakeEdge", "named", "violations"]

EPOCH = 1_000_000.0


def named(rules: Sequence[Rule]) -> list[Rule]:
    """
    @return: the rules; those without a name get their position for one.
    """
    return [evolve(rule, name=rule.name or str(position)) for position, rule in enumerate(rules)]


class FakeEdge:
    """
    Carries out decisions by recording them.

    @ivar waiting: the number of waiters, by route.
    @ivar recounted: the routes whose waiters the scaler has counted, in order.
    @ivar spawned: the orders.
    @ivar newest: the last NEWEST of each instance.
    @ivar buried: why instances are gone.
    @ivar settled: the instances that were found full for the first time.
    @ivar learned: how many times there was news of capacities.
    """

    def __init__(
        self, rules: Sequence[Rule] = (Rule(None, 10, 1),), max_total: int = 100, now: float = 0.0
    ) -> None:
        numbers = count(1)
        self.scaler = Scaler(
            Rulebook(named(rules), max_total=max_total),
            epoch=EPOCH,
            new_ticket=lambda: f"t{next(numbers)}",
            waiting=self._count,
        )
        self.now = now
        self.waiting: Counter[str] = Counter()
        self.recounted: list[str] = []
        self.spawned: list[Instance] = []
        self.retired: list[Instance] = []
        self.stopped: list[Stop] = []
        self.failures: list[Fail] = []
        self.buried: list[str] = []
        self.roll_failures: list[RollFailed] = []
        self.newest: dict[Instance, bool] = {}
        self.settled: list[Settled] = []
        self.learned = 0

    def _count(self, route: str) -> int:
        self.recounted.append(route)
        return self.waiting[route]

    def perform(self, decisions: Iterable[Decision]) -> None:
        """
        Carry decisions out.
        """
        for decision in decisions:
            match decision:
                case Spawn(instance):
                    self.spawned.append(instance)
                case Retire(instance):
                    self.retired.append(instance)
                case Stop():
                    self.stopped.append(decision)
                case Newest(instance, newest):
                    self.newest[instance] = newest
                case Buried(_, reason):
                    self.buried.append(reason)
                case RollFailed():
                    self.roll_failures.append(decision)
                case Settled():
                    self.settled.append(decision)
                case Learned():
                    self.learned += 1
                case Fail(route):
                    self.failures.append(decision)
                    del self.waiting[route]

    def snapshot(self) -> ScalerSnapshot:
        """
        What the scaler knows.
        """
        return self.scaler.snapshot(self.now)

    def routes(self) -> list[str]:
        """
        The routes that have instances.
        """
        return sorted(route for route, each in self.snapshot().routes.items() if each.instances)

    def hasReady(self, route: str) -> bool:
        """
        Whether a route has a ready instance.
        """
        return any(each.state is State.READY for each in self.snapshot().routes[route].instances)

    def demand(self, route: str) -> None:
        """
        Report the number of waiters.
        """
        self.perform(self.scaler.demand(route, self.now))

    def hold(self, number: int = 1, route: str = "r") -> list[Instance]:
        """
        Add this many waiters.

        @return: the orders for them.
        """
        before = len(self.spawned)
        self.waiting[route] += number
        self.demand(route)
        return self.spawned[before:]

    def dial(
        self,
        ticket: str = "",
        node_id: str = "",
        route: str = "r",
        capacity: int = 1,
        generation: int | None = None,
        learns: bool = False,
    ) -> Instance:
        """
        Have a node open a slot.
        """
        instance, decisions = self.scaler.hello(
            ticket, node_id or f"node of {ticket}", route, capacity, generation, self.now, learns
        )
        self.perform(decisions)
        return instance

    def connect(self, instance: Instance) -> None:
        """
        Have the node of an order open its first slot.
        """
        self.dial(
            instance.ticket,
            route=instance.route,
            capacity=instance.capacity,
            learns=instance.learns,
        )

    def ready(self, instance: Instance) -> None:
        """
        Make a slot ready.
        """
        if not instance.retired:
            instance.offer.ready["slot"] = None
        self.perform(self.scaler.ready(instance, self.now))

    def start(self, instance: Instance) -> Instance:
        """
        Have an order succeed.
        """
        self.connect(instance)
        self.ready(instance)
        return instance

    def serve(self, instance: Instance, number: int = 1) -> None:
        """
        Have an instance take this many waiters.
        """
        self.waiting[instance.route] -= number
        instance.offer.in_flight += number
        instance.offer.ready.clear()

    def grow(self, instance: Instance, capacity: int) -> None:
        """
        Have an instance take up as many waiters as this capacity allows.
        """
        self.serve(instance, capacity - instance.offer.in_flight)
        self.perform(self.scaler.resized(instance, capacity, self.now))

    def full(self, instance: Instance, refused: bool = False) -> list[Instance]:
        """
        Have an instance not take up a probe.

        @param refused: it refuses the probe; else it lets it wait.
        @return: the orders for what waits.
        """
        before = len(self.spawned)
        self.perform(self.scaler.full(instance, refused, self.now))
        return self.spawned[before:]

    def finish(self, instance: Instance) -> None:
        """
        Have an instance finish all its exchanges, and become ready.
        """
        instance.offer.in_flight = 0
        self.perform(self.scaler.ready(instance, self.now))
        if instance.state is State.READY:
            instance.offer.ready["slot"] = None
            self.perform(self.scaler.idled(instance, self.now))

    def lose(self, instance: Instance) -> None:
        """
        Close a slot.
        """
        instance.offer.ready.clear()
        self.perform(self.scaler.slotClosed(instance, self.now))

    def end(
        self, instance: Instance, reason: str = "exit status 1", detached: bool = False
    ) -> None:
        """
        Have the spawner report that an instance ended.
        """
        self.perform(self.scaler.gone(instance.ticket, reason, detached, self.now))

    def advance(self, seconds: float) -> None:
        """
        Let time pass.
        """
        until = self.now + seconds
        while (due := self.scaler.nextDeadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.perform(self.scaler.tick(self.now))
        self.now = until


def violations(instance: Instance) -> list[str]:
    """
    @return: what is true of an instance and must not be, by L{MAY} and L{MUST}; nothing, if
        all is well.
    """
    found = [
        f"{name} while {instance.state.name}"
        for name, states in MAY.items()
        if _has(instance, name) and instance.state not in states
    ]
    found += [
        f"not {name} while {instance.state.name}"
        for name, states in MUST.items()
        if not _has(instance, name) and instance.state in states
    ]
    if instance.stage not in {stage for stage, _ in TABLE}:
        found.append(f"no such stage: {instance.stage}")
    if instance.lost_at is not None and instance.slots:
        found.append("lost its last slot, and has some")
    if instance.answered and not instance.judged:
        found.append("answered, and not judged")
    if instance.watched and instance.spawn is None:
        found.append("watched, but of no spawn")
    return found


def _has(instance: Instance, name: str) -> bool:
    value = getattr(instance, name)
    return value is not None and value is not False and (name != "slots" or value > 0)
