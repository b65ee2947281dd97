"""
Random histories of L{brxy.broker.broker}, beside a model of it.
"""

from __future__ import annotations

import random

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

from brxy.broker.decisions import Held, Match, Reject
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class BrokerMachine(RuleBasedStateMachine):
    """
    Random histories of a L{Broker}, beside a model that searches lists.
    """

    ROUTES = ("r", "s")
    MAX_HELD = 4
    TIMEOUT = 10.0

    def __init__(self) -> None:
        super().__init__()
        self.broker = FakeBroker(self.MAX_HELD, self.TIMEOUT)
        self.now = 0.0
        self.line: list[FakeWaiter] = []
        self.idle: list[FakeSlot] = []
        self.busy: list[tuple[FakeWaiter, FakeSlot]] = []
        self.resting: list[FakeSlot] = []
        self.instances = [
            makeInstance(ticket, generation, route, rank)
            for route in self.ROUTES
            for ticket, generation, rank in (("a", 1, 0), ("b", 1, 0), ("c", 2, 0), ("d", 3, 1))
        ]
        self.flights = dict.fromkeys(self.instances, 0)
        self.resting = [FakeSlot(each) for each in self.instances for _ in range(3)]

    # The model

    def offered(self, route: str) -> list[FakeSlot]:
        return [
            slot
            for slot in self.idle
            if slot.instance.route == route and not slot.instance.offer.suspended
        ]

    def best(self, route: str) -> FakeSlot:
        """
        The slot that must be taken: of the best instance, the last one ready.
        """

        def place(slot: FakeSlot) -> tuple[int, int, int, str]:
            one = slot.instance
            return (one.rank, -one.generation, -self.flights[one], one.ticket)

        return min(reversed(self.offered(route)), key=place)

    def waiting(self, route: str) -> list[FakeWaiter]:
        line = [waiter for waiter in self.line if waiter.route == route]
        return sorted(line, key=lambda waiter: waiter.number)

    def matched(self, waiter: FakeWaiter, slot: FakeSlot) -> None:
        self.busy.append((waiter, slot))
        self.flights[slot.instance] += 1

    def pick(self, choice: int, things: list[FakeSlot]) -> FakeSlot:
        return things[choice % len(things)]

    # What happens

    @rule(route=st.sampled_from(ROUTES))
    def wait(self, route: str) -> None:
        waiter = FakeWaiter(route)
        self.arrive(waiter, self.broker.wait(waiter, self.now), self.MAX_HELD)

    @precondition(lambda self: self.busy)
    @rule(choice=st.integers(0, 100))
    def offerAgain(self, choice: int) -> None:
        waiter, slot = self.busy.pop(choice % len(self.busy))
        self.broker.finish(slot)
        self.flights[slot.instance] -= 1
        self.resting.append(slot)
        before = (waiter.number, waiter.deadline)
        self.arrive(waiter, self.broker.requeue(waiter, self.now), 1000)
        assert before == (waiter.number, waiter.deadline)

    def arrive(self, waiter: FakeWaiter, decision: object, limit: int) -> None:
        if self.offered(waiter.route):
            slot = self.best(waiter.route)
            assert decision == Match(waiter, slot)
            self.idle.remove(slot)
            self.matched(waiter, slot)
        elif len(self.waiting(waiter.route)) < limit:
            assert decision == Held(waiter)
            self.line.append(waiter)
        else:
            assert decision == Reject(waiter, "full")

    @precondition(lambda self: self.resting)
    @rule(choice=st.integers(0, 100))
    def ready(self, choice: int) -> None:
        slot = self.pick(choice, self.resting)
        self.resting.remove(slot)
        match = self.broker.ready(slot)
        waiting = self.waiting(slot.instance.route)
        if waiting and not slot.instance.offer.suspended:
            assert match == Match(waiting[0], slot)
            self.line.remove(waiting[0])
            self.matched(waiting[0], slot)
        else:
            assert match is None
            self.idle.append(slot)

    @precondition(lambda self: self.busy)
    @rule(choice=st.integers(0, 100))
    def finish(self, choice: int) -> None:
        _, slot = self.busy.pop(choice % len(self.busy))
        self.broker.finish(slot)
        self.flights[slot.instance] -= 1
        self.resting.append(slot)

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
        self.broker.cancel(self.line.pop(choice % len(self.line)))

    @rule(seconds=st.floats(0, 8))
    def expire(self, seconds: float) -> None:
        self.now += seconds
        due = {id(waiter) for waiter in self.line if waiter.deadline <= self.now}
        expired = [each.waiter for each in self.broker.expire(self.now)]
        assert {id(waiter) for waiter in expired} == due
        deadlines = [waiter.deadline for waiter in expired]
        assert deadlines == sorted(deadlines)
        self.line = [waiter for waiter in self.line if id(waiter) not in due]

    @rule(route=st.sampled_from(ROUTES))
    def takeAll(self, route: str) -> None:
        waiting = self.waiting(route)
        assert self.broker.takeAll(route) == waiting
        self.line = [waiter for waiter in self.line if waiter not in waiting]

    @rule(choice=st.integers(0, 7))
    def suspend(self, choice: int) -> None:
        self.broker.suspend(self.instances[choice].offer)

    @rule(choice=st.integers(0, 7))
    def restore(self, choice: int) -> None:
        instance = self.instances[choice]
        waiting = self.waiting(instance.route)
        mine = [slot for slot in self.idle if slot.instance is instance]
        matches: list[Match[FakeWaiter, FakeSlot]] = []
        match = self.broker.restore(instance.offer)
        while match is not None:
            assert isinstance(match, Match)
            matches.append(match)
            match = self.broker.more(instance.route)
        for match, waiter in zip(matches, waiting, strict=False):
            assert match.waiter is waiter
            self.line.remove(waiter)
            self.idle.remove(match.slot)
            self.matched(waiter, match.slot)
        if matches:
            assert len(matches) == min(len(waiting), len(mine))

    # What always holds

    @invariant()
    def workConserving(self) -> None:
        for route in self.ROUTES:
            assert not (self.waiting(route) and self.offered(route))

    @invariant()
    def counts(self) -> None:
        for instance in self.instances:
            assert instance.offer.in_flight == self.flights[instance]
        for route in self.ROUTES:
            assert self.broker.held(route) == len(self.waiting(route))
        assert sum(self.broker.snapshot().held.values()) == len(self.line)
        assert all(waiter.held for waiter in self.line)
        assert not any(waiter.held for waiter, _ in self.busy)

    @invariant()
    def deadlines(self) -> None:
        due = min((waiter.deadline for waiter in self.line), default=None)
        assert self.broker.nextDeadline() == due

    @invariant()
    def nothingLeft(self) -> None:
        waiting = {waiter.route for waiter in self.line}
        snapshot = self.broker.snapshot()
        assert set(self.broker.routes()) == set(snapshot.held) == waiting
        offering = {route for route in self.ROUTES if self.offered(route)}
        assert set(snapshot.offering) == offering
        assert snapshot.deadlines <= 2 * len(self.line)


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
        choices = random.Random(1)
        machine = BrokerMachine()
        for _ in range(6000):
            self._step(machine, choices)
            machine.workConserving()
            machine.counts()
            machine.deadlines()
            machine.nothingLeft()

    def _step(self, machine: BrokerMachine, choices: random.Random) -> None:
        number = choices.randrange(100)
        kind = choices.randrange(24)
        if kind < 8:
            machine.wait(choices.choice(machine.ROUTES))
        elif kind < 14 and machine.resting:
            machine.ready(number)
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
            machine.restore(number % 8)
