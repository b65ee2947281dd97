"""
Random histories of L{brxy.scaler.scaler}, and what must hold in all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.offer import UNLIMITED
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import BELIEVED
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule, Rulebook
from brxy.test.support.memory.fleets import FakeEdge, violations
from brxy.test.support.pages import ROOT
from brxy.values.capacity import AUTO

ROUTES = ("r", "s", "t")
LIVE = (State.ORDERED, State.CONNECTED, State.READY)

SETTINGS = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

choices = st.integers(0, 1000)
routes = st.sampled_from(ROUTES)


class ScalerMachine(RuleBasedStateMachine):
    """
    An edge, clients, spawners and nodes that do whatever they may.
    """

    spawns: tuple[Rule, ...] = (Rule("r", 1, 2, "first"), Rule(None, 3, 1, "second"))

    max_total = 5

    #: A route had a minimum of instances at some time.
    woken = False

    def __init__(self) -> None:
        super().__init__()
        self.edge = FakeEdge(self.spawns, self.max_total)
        self.strangers = 0
        self.rolled = False

    @property
    def by_name(self) -> dict[str, Rule]:
        return self.edge.scaler.book.rules

    @property
    def all(self) -> list[Instance]:
        return [each for route in ROUTES for each in self.edge.scaler.instances(route)]

    def pick(self, choice: int, may: Callable[[Instance], bool]) -> Instance | None:
        """
        One of the instances that can do something, if there is one.
        """
        found = [each for each in self.all if may(each)]
        return found[choice % len(found)] if found else None

    # Clients

    @rule(route=routes, number=st.integers(1, 8))
    def hold(self, route: str, number: int) -> None:
        before = len(self.edge.failures)
        offers = self.offers(route)
        with self.needed(route):
            spawned = self.edge.hold(number, route)
        for each in spawned:
            assert self.isItsTurn(each)
        enough = offers >= self.edge.waiting[route] and not self.woken
        if len(self.edge.failures) == before and enough:
            assert not spawned

    @rule(route=routes)
    def leave(self, route: str) -> None:
        del self.edge.waiting[route]
        self.edge.demand(route)

    @rule(choice=choices)
    def serve(self, choice: int) -> None:
        instance = self.pick(
            choice,
            lambda each: (
                each.state is State.READY
                and each.slots > 0
                and not each.offer.suspended
                and each.offer.in_flight < each.capacity
                and self.edge.waiting[each.route] > 0
            ),
        )
        if instance is not None:
            self.edge.serve(instance)

    @rule(choice=choices, answered=st.booleans())
    def finish(self, choice: int, answered: bool) -> None:
        instance = self.pick(choice, lambda each: each.offer.in_flight > 0 and each.slots > 0)
        if instance is not None:
            if answered:
                self.edge.perform(self.edge.scaler.answered(instance, self.edge.now))
            self.edge.finish(instance)

    # Nodes

    @rule(choice=choices, capacity=st.sampled_from([1, 3]))
    def connect(self, choice: int, capacity: int) -> None:
        instance = self.pick(choice, lambda each: each.slots < 2)
        if instance is not None:
            node_id = instance.node_id or f"node of {instance.ticket}"
            self.edge.dial(instance.ticket, node_id, instance.route, capacity)

    @rule(route=routes)
    def stranger(self, route: str) -> None:
        if self.strangers < 3:
            self.strangers += 1
            self.edge.dial(node_id=f"stranger {self.strangers}", route=route)

    @rule(choice=choices)
    def ready(self, choice: int) -> None:
        instance = self.pick(choice, lambda each: each.slots > 0)
        if instance is not None:
            self.edge.ready(instance)

    @rule(choice=choices)
    def unready(self, choice: int) -> None:
        instance = self.pick(choice, lambda each: each.slots > 0)
        if instance is not None:
            instance.offer.ready.clear()
            self.edge.perform(self.edge.scaler.unready(instance, self.edge.now))

    @rule(choice=choices)
    def lose(self, choice: int) -> None:
        instance = self.pick(choice, lambda each: each.slots > 0)
        if instance is not None:
            self.edge.lose(instance)

    @rule(choice=choices)
    def suspend(self, choice: int) -> None:
        instance = self.pick(choice, lambda each: each.slots > 0)
        if instance is not None:
            instance.offer.suspended = not instance.offer.suspended
            self.edge.demand(instance.route)

    # Spawners

    @rule(choice=choices, detached=st.booleans())
    def end(self, choice: int, detached: bool) -> None:
        instance = self.pick(choice, lambda each: each.watched)
        if instance is not None:
            self.edge.end(instance, detached=detached)

    # Operators and time

    @rule(route=routes)
    def roll(self, route: str) -> None:
        self.rolled = True
        self.edge.perform(self.edge.scaler.roll(route, self.edge.now))

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0, 5.0, 20.0, 60.0]))
    def advance(self, seconds: float) -> None:
        self.edge.advance(seconds)

    # What always holds

    def offers(self, route: str) -> int:
        """
        What a route can take, by the words of the specification.
        """
        return sum(
            self.offered(each)
            for each in self.edge.scaler.instances(route)
            if each.state in LIVE
            and not each.offer.suspended
            and not (each.lost_at is not None and each.lost_at + 5.0 <= self.edge.now)
        )

    def offered(self, instance: Instance) -> int:
        """
        What an instance that serves can take.
        """
        return max(0, instance.capacity - instance.offer.in_flight)

    @contextmanager
    def needed(self, route: str) -> Iterator[None]:
        """
        What is ordered meanwhile is needed: without the last order, waiters would lack an
        instance.  So there is none if one is coming that may take any number.
        """
        before, failures = len(self.edge.spawned), len(self.edge.failures)
        yield
        orders = self.edge.spawned[before:]
        if orders and len(self.edge.failures) == failures and not self.woken:
            assert {each.route for each in orders} == {route}
            without = self.offers(route) - sum(self.expected(each) for each in orders)
            assert self.edge.waiting[route] > without + sum(map(self.expected, orders[:-1]))

    def expected(self, instance: Instance) -> int:
        """
        What an instance that is ordered is expected to take.
        """
        return instance.capacity

    def isItsTurn(self, instance: Instance) -> bool:
        """
        Whether all spawners before that of an instance have as many as they
        may, or fail.
        """
        assert instance.spawn is not None
        return all(
            each.number >= self.by_name[each.name].max_instances or each.allowed == 0
            for each in self.edge.snapshot().routes[instance.route].spawns[: instance.rank]
        )

    @invariant()
    def maxima(self) -> None:
        above = int(self.rolled)
        for route in ROUTES:
            for each in self.spawns:
                mine = [i for i in self.edge.scaler.instances(route) if i.spawn == each.name]
                assert len(mine) <= each.max_instances + above
        ordered = [each for each in self.all if each.spawn is not None]
        assert len(ordered) <= self.max_total + above
        assert self.edge.scaler.total() == len(self.all)

    @invariant()
    def oneNewest(self) -> None:
        for route in ROUTES:
            instances = self.edge.scaler.instances(route)
            serving = [i for i in instances if i.state in (State.CONNECTED, State.READY)]
            newest = [each for each in instances if each.newest]
            assert len(newest) == (1 if serving else 0)
            for each in newest:
                assert each in serving
                assert each.rank == min(i.rank for i in serving)
                peers = [i.generation for i in serving if i.rank == each.rank]
                assert each.generation == max(peers)
            told = [each for each in instances if self.edge.newest.get(each)]
            assert told == newest

    @invariant()
    def nobodyWaitsForNothing(self) -> None:
        """
        Waiters have instances coming, or a limit is reached.
        """
        for route in ROUTES:
            if self.edge.waiting[route] > self.offers(route):
                assert self.isLimited(route) or self.isDoubted(route), route

    def isDoubted(self, route: str) -> bool:
        """
        Whether it is not known for the moment how many an instance takes.
        """
        return False

    def isLimited(self, route: str) -> bool:
        instances = self.edge.scaler.instances(route)
        if self.edge.scaler.total() >= self.edge.scaler.book.max_total:
            return True
        for spawn in self.edge.snapshot().routes[route].spawns:
            mine = [each for each in instances if each.spawn in (spawn.name, None)]
            full = len(mine) >= self.by_name[spawn.name].max_instances
            if not full and spawn.allowed != 0:
                return False
        # With all breakers open and no instance, no waiter is left.
        return bool(instances)

    @invariant()
    def legal(self) -> None:
        """
        Each instance is in a stage that there is, and nothing else is true of it than
        what may be.
        """
        for each in {*self.all, *self.edge.spawned}:
            assert violations(each) == [], each

    @invariant()
    def retiredServeNobody(self) -> None:
        for each in self.all:
            assert not each.retired or each.state is State.DRAINING

    @invariant()
    def lookedAfter(self) -> None:
        """
        An instance that no spawner watches, and that has no slot, ends by itself.
        """
        for each in self.all:
            if not each.watched and not each.slots:
                assert self.edge.scaler.nextDeadline() is not None

    def teardown(self) -> None:
        """
        In the end everything ends, and nothing is left.
        """
        self.edge.waiting.clear()
        for instance in self.all:
            while instance.slots:
                self.edge.lose(instance)
        self.edge.advance(120.0)
        # Rolls may order some more while they end.
        for _ in range(2 * self.max_total):
            for instance in self.all:
                assert instance.watched
                self.edge.end(instance)
        self.edge.advance(200.0)
        assert self.all == []
        assert all(each.state is State.GONE for each in self.edge.spawned)
        assert self.edge.scaler.nextDeadline() is None
        assert self.edge.snapshot().routes == {}
        assert self.edge.snapshot().rolling == set()


class WakingMachine(ScalerMachine):
    """
    The same with routes that have a minimum of instances for a time.
    """

    @rule(route=routes, number=st.integers(0, 6), seconds=st.sampled_from([0.0, 2.0, 30.0]))
    def wake(self, route: str, number: int, seconds: float) -> None:
        self.woken = True
        self.edge.scaler.floors.set(route, number, self.edge.now + seconds)
        self.edge.demand(route)

    @invariant()
    def kept(self) -> None:
        """
        A route has its minimum of instances, or will be looked at soon, or a limit is reached.
        """
        for route in ROUTES:
            alive = [
                each
                for each in self.edge.scaler.instances(route)
                if each.state in LIVE
                and not (each.lost_at is not None and each.lost_at + 5.0 <= self.edge.now)
            ]
            if len(alive) < self.edge.scaler.floors.number(route, self.edge.now):
                spawns = self.edge.snapshot().routes[route].spawns
                open_breakers = any(each.allowed == 0 for each in spawns)
                due = self.edge.scaler.nextDeadline()
                soon = due is not None and due <= self.edge.now + 1.0
                assert soon or open_breakers or self.isLimited(route), route

    def teardown(self) -> None:
        for route in ROUTES:
            self.edge.scaler.floors.set(route, 0, 0.0)
        super().teardown()


class LearningMachine(ScalerMachine):
    """
    The same with instances whose capacity is learned, and changes at any time.
    """

    spawns = (
        Rule("r", 3, AUTO, "first", max_capacity=4),
        Rule("t", 1, 2, "fixed"),
        Rule(None, 4, AUTO, "second", max_capacity=6),
    )
    max_total = 10

    @rule(choice=choices, capacity=st.sampled_from([1, 3]), learns=st.booleans())
    def connect(self, choice: int, capacity: int, learns: bool) -> None:
        instance = self.pick(choice, lambda each: each.slots < 2)
        if instance is not None:
            node_id = instance.node_id or f"node of {instance.ticket}"
            self.edge.dial(
                instance.ticket, node_id, instance.route, capacity, None, learns or capacity > 1
            )

    @initialize(route=routes)
    def begin(self, route: str) -> None:
        with self.needed(route):
            orders = self.edge.hold(8, route)
        self.edge.start(orders[-1])

    @rule(choice=choices, learns=st.booleans())
    def start(self, choice: int, learns: bool) -> None:
        instance = self.pick(choice, lambda each: each.state < State.READY)
        if instance is not None:
            node_id = instance.node_id or f"node of {instance.ticket}"
            self.edge.dial(instance.ticket, node_id, instance.route, 1, None, learns)
            self.edge.ready(instance)

    @rule(choice=choices, taken=st.integers(0, 5), refused=st.sampled_from([None, True, False]))
    def grow(self, choice: int, taken: int, refused: bool | None) -> None:
        """
        An instance is given waiters, first those that it is sure to take.  One more is
        refused, or stands, or there is none.
        """
        instance = self.pick(choice, self.mayTake)
        if instance is None:
            return
        for _ in range(taken):
            if self.probe(instance) and instance.offer.in_flight == instance.capacity + 1:
                self.take(instance)
        if refused is not None and self.probe(instance):
            instance.offer.in_flight -= refused
            self.full(instance)

    def mayTake(self, instance: Instance) -> bool:
        return (
            instance.learns
            and instance.state is State.READY
            and instance.slots > 0
            and not instance.offer.suspended
            and self.edge.waiting[instance.route] > 0
        )

    def probe(self, instance: Instance) -> bool:
        """
        Send exchanges until one is a probe, unless one stands.

        @return: whether there is one.
        """
        offer, route = instance.offer, instance.route
        while offer.in_flight < instance.capacity and self.mayTake(instance):
            self.edge.serve(instance)
        if not self.mayTake(instance):
            return False
        if offer.in_flight == instance.capacity:
            offer.in_flight += 1
        with self.needed(route):
            self.edge.demand(route)
        return self.mayTake(instance)

    def take(self, instance: Instance) -> None:
        self.edge.waiting[instance.route] -= 1
        capacity = instance.offer.in_flight
        with self.needed(instance.route):
            self.edge.perform(self.edge.scaler.resized(instance, capacity, self.edge.now))
        assert instance.expected is None or instance.expected >= capacity
        known = self.known(instance)
        assert known is None or known >= capacity

    def full(self, instance: Instance) -> None:
        with self.needed(instance.route):
            self.edge.full(instance)
        # One that has just become ready may be about to take up more, and one that a roll has
        # replaced meanwhile is not asked.
        if instance.state is State.READY and instance.doubted_until is None:
            assert instance.expected == instance.capacity
            assert self.known(instance) is not None

    @rule(choice=choices, capacity=st.integers(1, 6))
    def resize(self, choice: int, capacity: int) -> None:
        instance = self.pick(choice, lambda each: each.learns and each.slots > 0)
        if instance is not None:
            with self.needed(instance.route):
                self.edge.perform(self.edge.scaler.resized(instance, capacity, self.edge.now))

    # What always holds

    def known(self, instance: Instance) -> int | None:
        return self.edge.scaler.restarts.capacities.expected(instance.spawn, instance.route)

    def expected(self, instance: Instance) -> int:
        if not instance.learns:
            return instance.capacity
        expected = instance.expected
        if expected is None and instance.state < State.READY:
            expected = self.known(instance)
        return UNLIMITED if expected is None else expected

    def offered(self, instance: Instance) -> int:
        busy = instance.offer.in_flight
        if not instance.learns:
            return super().offered(instance)
        lately = instance.full_at is not None and self.edge.now < instance.full_at + BELIEVED
        if busy > instance.capacity and not lately:
            return UNLIMITED
        return max(0, self.expected(instance) - min(busy, instance.capacity))

    def isDoubted(self, route: str) -> bool:
        doubted = [
            each
            for each in self.edge.scaler.instances(route)
            if each.doubted_until is not None and self.edge.now < each.doubted_until
        ]
        return bool(doubted) and self.edge.scaler.nextDeadline() is not None


#: What the settings may change to: others in another order, with other limits, or gone.
BOOKS = (
    ((Rule("r", 1, 2, "first"), Rule(None, 3, 1, "second")), 5),
    ((Rule("r", 2, 2, "first"), Rule(None, 1, 3, "second")), 3),
    ((Rule(None, 3, 1, "second"), Rule("r", 1, 1, "first")), 6),
    ((Rule("s", 2, 1, "third"), Rule("r", 1, 2, "first")), 4),
    ((), 5),
)


class ReloadMachine(ScalerMachine):
    """
    The same while the settings change at any time.  Of the routes, one after the other is
    reviewed, with anything between.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unreviewed: list[str] = []
        self.changes: dict[str, OnChange] = {}
        self.highest = self.max_total

    @rule(
        settings=st.sampled_from(BOOKS),
        changes=st.dictionaries(
            st.sampled_from(["first", "second", "third"]), st.sampled_from(OnChange)
        ),
    )
    def reload(self, settings: tuple[tuple[Rule, ...], int], changes: dict[str, OnChange]) -> None:
        while self.unreviewed:
            self.review(0)
        spawns, total = settings
        self.edge.scaler.book.adopt(Rulebook(spawns, max_total=total))
        self.highest = max(self.highest, total)
        self.changes = changes
        self.unreviewed = [*ROUTES]

    @rule(choice=choices)
    def review(self, choice: int) -> None:
        if not self.unreviewed:
            return
        scaler, now = self.edge.scaler, self.edge.now
        route = self.unreviewed.pop(choice % len(self.unreviewed))
        self.rolled = self.rolled or bool(self.changes)
        served = scaler.book.serves(route)
        self.edge.perform(scaler.reviews.review(route, self.changes, served, now))
        for each in scaler.instances(route):
            assert each.retired or each.spawn in (None, *scaler.book.namesFor(route))
            assert (
                each.retired
                or self.changes.get(each.spawn or "") is not OnChange.RESTART
                or (each in self.edge.spawned and each.ordered_at == now)
            )
        if not self.unreviewed:
            self.edge.perform(scaler.reviews.finish(now))
        if not served and not scaler.present(route):
            del self.edge.waiting[route]
            self.edge.demand(route)

    @rule(route=routes, number=st.integers(1, 8))
    def hold(self, route: str, number: int) -> None:
        scaler = self.edge.scaler
        if scaler.book.serves(route) or scaler.present(route):
            self.edge.hold(number, route)

    @invariant()
    def maxima(self) -> None:
        above = int(self.rolled)
        for route in {*ROUTES} - {*self.unreviewed}:
            for name in self.edge.scaler.book.namesFor(route):
                mine = [
                    i
                    for i in self.edge.scaler.instances(route)
                    if i.spawn == name and not i.retired
                ]
                assert len(mine) <= self.by_name[name].max_instances + above
        ordered = [each for each in self.all if each.spawn is not None]
        assert len(ordered) <= self.highest + above
        assert self.edge.scaler.total() == len(self.all)

    def isLimited(self, route: str) -> bool:
        known = self.edge.snapshot().routes
        return (
            route in self.unreviewed
            or not self.edge.scaler.book.serves(route)
            or (route in known and super().isLimited(route))
        )

    def teardown(self) -> None:
        while self.unreviewed:
            self.review(0)
        super().teardown()


_PERFORM = """
from hypothesis.stateful import run_state_machine_as_test
from brxy.test.scaler.test_model import SETTINGS, {0}

run_state_machine_as_test({0}, settings=SETTINGS)
"""


class ModelTests(SynchronousTestCase):
    """
    L{brxy.scaler.scaler.Scaler} in random histories.
    """

    def perform(self, machine: type[RuleBasedStateMachine]) -> None:
        """
        Perform histories, in a process of their own: Hypothesis takes values from the source of
        all modules that are loaded, so that others would be performed each time.
        """
        command = [sys.executable, "-c", _PERFORM.format(machine.__name__)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environ)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_model(self) -> None:
        """
        Whatever happens in whatever order, the limits are kept, the demand is
        met, there is one newest, and everything comes to an end.
        """
        self.perform(ScalerMachine)

    def test_learning(self) -> None:
        """
        That is so as well with capacities that change at any time.  No more is ordered than
        what is known calls for, and what a full instance leaves is ordered at once.
        """
        self.perform(LearningMachine)

    def test_waking(self) -> None:
        """
        Routes have the minimum of instances that they must have, within the limits.
        """
        self.perform(WakingMachine)

    def test_reload(self) -> None:
        """
        That is so as well while the settings change.  What no rule is for any more leaves.
        """
        self.perform(ReloadMachine)
