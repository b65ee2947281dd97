"""
Random histories of L{brxy.broker.broker}, beside a model of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.decisions import Held, Match, Probe, Recall, Reject
from brxy.scaler.instance import Instance
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class BrokerMachine(RuleBasedStateMachine):
    """
    Random histories of a L{Broker}, beside a model that searches lists.

    @ivar line: the waiters without a slot.
    @ivar probed: the waiters that are probed, and are held.
    @ivar standing: those of them that have been probed for some time.
    @ivar recalled: those whose recall was not answered yet.
    @ivar busy: the exchanges that were matched, or taken up.
    @ivar closing: the slots whose exchange the edge has given up.
    @ivar excused: the probed waiters whose instance has had room, or another ready slot: so
        they may have been left where they are.
    """

    ROUTES = ("r", "s")
    MAX_HELD = 4
    TIMEOUT = 10.0
    #: None: the capacity is fixed.
    CAPACITIES = (None, 1, 2, 0)
    #: The hold timeouts of routes that have one of their own.
    OWN: ClassVar[Mapping[str, float] | None] = None

    def __init__(self) -> None:
        super().__init__()
        own = None if self.OWN is None else self.OWN.get
        self.broker = FakeBroker(self.MAX_HELD, self.TIMEOUT, own_timeouts=own)
        self.now = 0.0
        self.line: list[FakeWaiter] = []
        self.probed: dict[FakeWaiter, FakeSlot] = {}
        self.standing: set[FakeWaiter] = set()
        self.recalled: dict[FakeWaiter, FakeSlot] = {}
        self.excused: set[FakeWaiter] = set()
        self.idle: list[FakeSlot] = []
        self.busy: list[tuple[FakeWaiter, FakeSlot]] = []
        self.closing: list[FakeSlot] = []
        self.instances = [
            makeInstance(ticket, generation, route, rank)
            for route in self.ROUTES
            for ticket, generation, rank in (("a", 1, 0), ("b", 1, 0), ("c", 2, 0), ("d", 3, 1))
        ]
        self.suspended: set[Instance] = set()
        self.paused: set[Instance] = set()
        self.flights = dict.fromkeys(self.instances, 0)
        self.capacities: dict[Instance, float] = dict.fromkeys(self.instances, math.inf)
        for instance, capacity in zip(self.instances, self.CAPACITIES * 2, strict=True):
            if capacity is not None:
                self.broker.resize(instance.offer, capacity)
                self.capacities[instance] = capacity
        self.resting = [FakeSlot(each) for each in self.instances for _ in range(3)]

    # The model

    @property
    def withheld(self) -> set[Instance]:
        return self.suspended | self.paused

    def offered(self, route: str) -> list[FakeSlot]:
        return [
            slot
            for slot in self.idle
            if slot.instance.route == route and slot.instance not in self.withheld
        ]

    def isFull(self, instance: Instance) -> bool:
        return self.flights[instance] >= self.capacities[instance]

    def best(self, route: str) -> FakeSlot:
        """
        The slot that must be taken: of the best instance, the last one ready.
        """

        def place(slot: FakeSlot) -> tuple[bool, int, int, int, str]:
            one = slot.instance
            return (self.isFull(one), one.rank, -one.generation, -self.flights[one], one.ticket)

        return min(reversed(self.offered(route)), key=place)

    def waiting(self, route: str) -> list[FakeWaiter]:
        line = [waiter for waiter in self.line if waiter.route == route]
        return sorted(line, key=lambda waiter: waiter.number)

    def held(self, route: str) -> list[FakeWaiter]:
        """
        All waiters of a route, in order of arrival.
        """
        probed = [waiter for waiter in self.probed if waiter.route == route]
        return sorted(self.waiting(route) + probed, key=lambda waiter: waiter.number)

    def matched(self, waiter: FakeWaiter, slot: FakeSlot) -> object:
        """
        A waiter gets a slot.

        @return: what the decision must be.
        """
        if waiter in self.line:
            self.line.remove(waiter)
        self.idle.remove(slot)
        probe = self.isFull(slot.instance)
        self.flights[slot.instance] += 1
        if probe:
            self.probed[waiter] = slot
            return Probe(waiter, slot)
        self.busy.append((waiter, slot))
        return Match(waiter, slot)

    def unprobed(self, waiter: FakeWaiter) -> FakeSlot:
        """
        A waiter is not probed any more.
        """
        self.standing.discard(waiter)
        self.excused.discard(waiter)
        return (self.probed if waiter in self.probed else self.recalled).pop(waiter)

    def finished(self, slot: FakeSlot) -> None:
        self.broker.finish(slot)
        self.flights[slot.instance] -= 1
        self.resting.append(slot)

    def toRecall(self, route: str) -> FakeWaiter | None:
        """
        The waiter that must be recalled for the best slot of a route.
        """
        if not self.offered(route):
            return None
        best, line = self.best(route).instance, self.waiting(route)
        full = self.isFull(best)
        for waiter in self.held(route):
            if waiter in line:
                return None
            instance = self.probed[waiter].instance
            crowded = self.flights[instance] > self.capacities[instance]
            waits = waiter in self.standing and not line if full else True
            if instance is not best and crowded and waits:
                return waiter
        return None

    def follow(self, route: str, decision: object, at_once: bool, recall: bool = True) -> None:
        """
        Check a decision and perform it, and those that follow.

        @param at_once: a recall is answered at once, by a refusal.
        @param recall: the first decision may be to recall.
        """
        while True:
            waiter = self.toRecall(route) if recall else None
            line = self.waiting(route)
            if waiter is not None:
                assert decision == Recall(waiter)
                self.recalled[waiter] = self.unprobed(waiter)
                if at_once:
                    self.refuse(waiter)
            elif line and self.offered(route):
                slot = self.best(route)
                assert decision == self.matched(line[0], slot)
            else:
                assert decision is None
                return
            recall = not any(each.route == route for each in self.recalled)
            decision = self.broker.more(route)

    def refuse(self, waiter: FakeWaiter) -> None:
        """
        A probe is refused, and its waiter is offered again.
        """
        self.finished(self.unprobed(waiter))
        assert not waiter.held
        self.again(waiter)

    def again(self, waiter: FakeWaiter) -> None:
        before = (waiter.number, waiter.deadline)
        self.arrive(waiter, self.broker.requeue(waiter, self.now), 1000)
        assert before == (waiter.number, waiter.deadline)

    def arrive(self, waiter: FakeWaiter, decision: object, limit: int) -> None:
        if self.offered(waiter.route):
            slot = self.best(waiter.route)
            assert decision == self.matched(waiter, slot)
        elif len(self.held(waiter.route)) < limit:
            assert decision == Held(waiter)
            self.line.append(waiter)
        else:
            assert decision == Reject(waiter, "full")

    def pick(self, choice: int, things: list[FakeSlot]) -> FakeSlot:
        return things[choice % len(things)]

    def pickProbe(self, choice: int) -> FakeWaiter:
        probes = [*self.probed, *self.recalled]
        return probes[choice % len(probes)]

    # What happens

    @rule(route=st.sampled_from(ROUTES))
    def wait(self, route: str) -> None:
        waiter = FakeWaiter(route)
        self.arrive(waiter, self.broker.wait(waiter, self.now), self.MAX_HELD)

    @precondition(lambda self: self.busy)
    @rule(choice=st.integers(0, 100))
    def offerAgain(self, choice: int) -> None:
        waiter, slot = self.busy.pop(choice % len(self.busy))
        self.finished(slot)
        self.again(waiter)

    @precondition(lambda self: self.resting)
    @rule(choice=st.integers(0, 100), at_once=st.booleans())
    def ready(self, choice: int, at_once: bool) -> None:
        slot = self.pick(choice, self.resting)
        self.resting.remove(slot)
        self.idle.append(slot)
        decision = self.broker.ready(slot)
        if slot.instance in self.withheld:
            assert decision is None
        else:
            self.follow(slot.instance.route, decision, at_once)

    @precondition(lambda self: self.busy)
    @rule(choice=st.integers(0, 100))
    def finish(self, choice: int) -> None:
        _, slot = self.busy.pop(choice % len(self.busy))
        self.finished(slot)

    @precondition(lambda self: self.idle)
    @rule(choice=st.integers(0, 100))
    def withdraw(self, choice: int) -> None:
        slot = self.pick(choice, self.idle)
        self.broker.withdraw(slot)
        self.idle.remove(slot)
        self.resting.append(slot)

    @precondition(lambda self: self.line)
    @rule(choice=st.integers(0, 100))
    def cancel(self, choice: int) -> None:
        assert self.broker.cancel(self.line.pop(choice % len(self.line))) is None

    @rule(seconds=st.floats(0, 8))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        waiters = [*self.line, *self.probed]
        due = {waiter for waiter in waiters if waiter.deadline <= self.now}
        expired = [each.waiter for each in self.broker.expire(self.now)]
        assert set(expired) == due
        deadlines = [waiter.deadline for waiter in expired]
        assert deadlines == sorted(deadlines)
        self.gone(due)

    @rule(route=st.sampled_from(ROUTES))
    def takeAll(self, route: str) -> None:
        held = self.held(route)
        assert self.broker.takeAll(route) == held
        self.gone(set(held))

    def gone(self, waiters: set[FakeWaiter]) -> None:
        """
        Waiters that were held are gone.
        """
        self.line = [waiter for waiter in self.line if waiter not in waiters]
        for waiter in [each for each in self.probed if each in waiters]:
            self.closing.append(self.unprobed(waiter))

    @rule(choice=st.integers(0, 7))
    def suspend(self, choice: int) -> None:
        self.suspended.add(self.instances[choice])
        self.broker.suspend(self.instances[choice].offer)

    @rule(choice=st.integers(0, 7), at_once=st.booleans())
    def restore(self, choice: int, at_once: bool) -> None:
        instance = self.instances[choice]
        before = instance in self.withheld
        self.suspended.discard(instance)
        self.matchedAgain(instance, before, self.broker.restore(instance.offer), at_once)

    @rule(route=st.sampled_from(ROUTES))
    def pause(self, route: str) -> None:
        for instance in self.instances:
            if instance.route == route:
                self.paused.add(instance)
                self.broker.pause(instance.offer)

    @rule(choice=st.integers(0, 7), at_once=st.booleans())
    def resume(self, choice: int, at_once: bool) -> None:
        instance = self.instances[choice]
        before = instance in self.withheld
        self.paused.discard(instance)
        self.matchedAgain(instance, before, self.broker.resume(instance.offer), at_once)

    def matchedAgain(
        self, instance: Instance, before: bool, decision: object, at_once: bool
    ) -> None:
        """
        @param before: it was withheld before.
        """
        mine = [slot for slot in self.idle if slot.instance is instance]
        if before and instance not in self.withheld and mine:
            self.follow(instance.route, decision, at_once)
        else:
            assert decision is None

    # Probes

    @precondition(lambda self: self.probed or self.recalled)
    @rule(choice=st.integers(0, 100), at_once=st.booleans())
    def take(self, choice: int, at_once: bool) -> None:
        waiter = self.pickProbe(choice)
        recalled = waiter in self.recalled
        slot = self.unprobed(waiter)
        self.busy.append((waiter, slot))
        assert not self.broker.hasLapsed(slot)
        self.follow(waiter.route, self.broker.taken(waiter), at_once, recalled)

    @precondition(lambda self: self.probed or self.recalled)
    @rule(choice=st.integers(0, 100))
    def refuseOne(self, choice: int) -> None:
        waiter = self.pickProbe(choice)
        recalled = waiter in self.recalled
        slot = self.unprobed(waiter)
        self.finished(slot)
        assert not waiter.held
        assert self.broker.hasLapsed(slot) is not recalled
        self.again(waiter)
        assert not self.broker.hasLapsed(slot)

    @precondition(lambda self: self.probed or self.recalled)
    @rule(choice=st.integers(0, 100), lost=st.booleans(), at_once=st.booleans())
    def leave(self, choice: int, lost: bool, at_once: bool) -> None:
        """
        The slot of a probe is lost, or its client has gone.
        """
        waiter = self.pickProbe(choice)
        recalled = waiter in self.recalled
        slot = self.unprobed(waiter)
        if lost:
            self.finished(slot)
        else:
            self.closing.append(slot)
        self.follow(waiter.route, self.broker.cancel(waiter), at_once, recalled or lost)

    @precondition(lambda self: self.closing)
    @rule(choice=st.integers(0, 100))
    def close(self, choice: int) -> None:
        slot = self.closing.pop(choice % len(self.closing))
        self.finished(slot)
        assert not self.broker.hasLapsed(slot)

    @precondition(lambda self: self.probed)
    @rule(choice=st.integers(0, 100), at_once=st.booleans())
    def stand(self, choice: int, at_once: bool) -> None:
        waiter = [*self.probed][choice % len(self.probed)]
        self.standing.add(waiter)
        self.follow(waiter.route, self.broker.stands(waiter), at_once)

    @rule(choice=st.integers(0, 7), capacity=st.integers(0, 4), at_once=st.booleans())
    def resize(self, choice: int, capacity: int, at_once: bool) -> None:
        instance = self.instances[choice]
        self.capacities[instance] = capacity
        decision = self.broker.resize(instance.offer, capacity)
        recalling = any(each.route == instance.route for each in self.recalled)
        self.follow(instance.route, decision, at_once, not recalling)

    # What always holds

    @invariant()
    def workConserving(self) -> None:
        for route in self.ROUTES:
            assert not (self.waiting(route) and self.offered(route))

    @invariant()
    def recalls(self) -> None:
        """
        What stands is recalled, if there is a slot for it elsewhere.
        """
        self.excused |= {
            waiter
            for waiter, slot in self.probed.items()
            if any(slot.instance is each.instance for each in self.idle)
            or self.flights[slot.instance] <= self.capacities[slot.instance]
        }
        for waiter in self.standing - self.excused:
            outstanding = any(each.route == waiter.route for each in self.recalled)
            assert outstanding or not self.offered(waiter.route)

    @invariant()
    def counts(self) -> None:
        for instance in self.instances:
            assert instance.offer.in_flight == self.flights[instance]
            assert instance.offer.suspended is (instance in self.suspended)
        for route in self.ROUTES:
            assert self.broker.held(route) == len(self.held(route))
        snapshot = self.broker.snapshot()
        assert sum(snapshot.held.values()) == len(self.line) + len(self.probed)
        assert sum(snapshot.probed.values()) == len(self.probed)
        assert all(waiter.held for waiter in (*self.line, *self.probed))
        assert not any(waiter.held for waiter, _ in self.busy)
        assert not any(waiter.held for waiter in self.recalled)

    @invariant()
    def deadlines(self) -> None:
        held = (*self.line, *self.probed)
        due = min((waiter.deadline for waiter in held), default=None)
        assert self.broker.nextDeadline() == due

    @invariant()
    def nothingLeft(self) -> None:
        waiting = {waiter.route for waiter in (*self.line, *self.probed)}
        snapshot = self.broker.snapshot()
        assert set(snapshot.held) == waiting
        offering = {route for route in self.ROUTES if self.offered(route)}
        assert set(snapshot.offering) == offering
        assert snapshot.deadlines <= 2 * (len(self.line) + len(self.probed))
        assert snapshot.offers <= 2 * len(self.instances)


class OwnTimes(BrokerMachine):
    """
    The same with a route whose waiters wait for a shorter time.
    """

    OWN = {"s": 3.0}


class ModelTests(SynchronousTestCase):
    """
    L{Broker} against its model.
    """

    def test_model(self) -> None:
        """
        Whatever happens in whatever order, L{Broker} does what the model does.
        """
        run_state_machine_as_test(
            BrokerMachine,
            settings=settings(
                max_examples=60,
                stateful_step_count=60,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_longHistory(self) -> None:
        """
        It still does after thousands of steps.
        """
        self._long(BrokerMachine(), 6000)

    def test_ownTimeouts(self) -> None:
        """
        And so it does if a route has a hold timeout of its own.
        """
        self._long(OwnTimes(), 3000)

    def _long(self, machine: BrokerMachine, steps: int) -> None:
        choices = random.Random(1)
        for _ in range(steps):
            self._step(machine, choices)
            machine.workConserving()
            machine.recalls()
            machine.counts()
            machine.deadlines()
            machine.nothingLeft()

    def _step(self, machine: BrokerMachine, choices: random.Random) -> None:
        number = choices.randrange(100)
        kind = choices.randrange(33)
        if kind < 8:
            machine.wait(choices.choice(machine.ROUTES))
        elif kind < 14 and machine.resting:
            machine.ready(number, number % 2 == 0)
        elif kind < 18 and machine.busy:
            machine.finish(number)
        elif kind == 18 and machine.busy:
            machine.offerAgain(number)
        elif kind == 19 and machine.idle:
            machine.withdraw(number)
        elif kind == 20 and machine.line:
            machine.cancel(number)
        elif kind == 21:
            machine.expire(choices.random() * 4)
        elif kind == 22:
            machine.suspend(number % 8)
        elif kind == 23:
            machine.restore(number % 8, number % 3 == 0)
        elif kind == 24:
            machine.resize(number % 8, number % 5, number % 3 == 0)
        elif kind < 28 and (machine.probed or machine.recalled):
            if number < 40:
                machine.take(number, number % 3 == 0)
            elif number < 80:
                machine.refuseOne(number)
            else:
                machine.leave(number, number % 2 == 0, number % 3 == 0)
        elif kind == 28 and machine.probed:
            machine.stand(number, number % 3 == 0)
        elif kind == 30 and number < 40:
            machine.pause(choices.choice(machine.ROUTES))
        elif kind > 30:
            machine.resume(number % 8, number % 3 == 0)
        elif machine.closing:
            machine.close(number)
