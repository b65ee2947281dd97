"""
Tests for L{brxy.broker.broker}.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.decisions import Expire, Held, Match, Reject
from brxy.broker.snapshot import BrokerSnapshot
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class BrokerTests(SynchronousTestCase):
    """
    L{Broker} matches waiters and slots.
    """

    def setUp(self) -> None:
        self.broker = FakeBroker(max_held=3, hold_timeout=60.0)
        self.slot = FakeSlot(makeInstance("a"))

    def wait(self, route: str = "r", now: float = 0.0) -> FakeWaiter:
        """
        Have an exchange come, and be held.
        """
        waiter = FakeWaiter(route)
        self.assertEqual(self.broker.wait(waiter, now), Held(waiter))
        return waiter

    def test_readyFirst(self) -> None:
        """
        An exchange that comes while a slot is ready gets it; then the slot is ready no longer.
        """
        self.assertIsNone(self.broker.ready(self.slot))
        waiter = FakeWaiter()
        self.assertEqual(self.broker.wait(waiter, 0.0), Match(waiter, self.slot))
        self.assertFalse(waiter.held)
        self.assertEqual(self.slot.instance.offer.in_flight, 1)
        self.wait()

    def test_waiterFirst(self) -> None:
        """
        A slot that becomes ready gets the first waiter.
        """
        first, second = self.wait(), self.wait()
        self.assertTrue(first.held)
        self.assertEqual(self.broker.ready(self.slot), Match(first, self.slot))
        self.assertFalse(first.held)
        self.broker.finish(self.slot)
        self.assertEqual(self.slot.instance.offer.in_flight, 0)
        self.assertEqual(self.broker.ready(self.slot), Match(second, self.slot))

    def test_otherRoute(self) -> None:
        """
        Slots serve their own route only.
        """
        self.wait("other")
        self.assertIsNone(self.broker.ready(self.slot))
        self.wait("third")

    def test_full(self) -> None:
        """
        No more than C{max_held} may wait for a route.
        """
        waiters = [self.wait() for _ in range(3)]
        late = FakeWaiter()
        self.assertEqual(self.broker.wait(late, 0.0), Reject(late, "full"))
        self.assertFalse(late.held)
        self.wait("other")
        self.broker.cancel(waiters[1])
        self.wait()

    def test_nobodyMayWait(self) -> None:
        """
        With C{max_held} 0 a waiter gets a ready slot or nothing.
        """
        broker = FakeBroker(max_held=0, hold_timeout=60.0)
        waiter = FakeWaiter()
        self.assertEqual(broker.wait(waiter, 0.0), Reject(waiter, "full"))
        broker.ready(self.slot)
        self.assertEqual(broker.wait(waiter, 0.0), Match(waiter, self.slot))

    def test_requeue(self) -> None:
        """
        An exchange that is offered again has its former place and deadline, though the
        line is full.
        """
        first, second = self.wait(now=0.0), self.wait(now=1.0)
        other = FakeSlot(makeInstance("b"))
        self.broker.ready(self.slot)
        self.broker.ready(other)
        later = [self.wait(now=2.0) for _ in range(3)]
        self.assertEqual(self.broker.requeue(second, 3.0), Held(second))
        self.assertEqual(self.broker.requeue(first, 3.0), Held(first))
        self.assertEqual(self.broker.nextDeadline(), 60.0)
        self.assertEqual(self.broker.takeAll("r"), [first, second, *later])

    def test_requeueWithReadySlot(self) -> None:
        """
        An exchange that is offered again while a slot is ready gets it at once.
        """
        waiter = self.wait()
        self.broker.ready(self.slot)
        other = FakeSlot(makeInstance("b"))
        self.broker.ready(other)
        self.assertEqual(self.broker.requeue(waiter, 1.0), Match(waiter, other))
        self.assertEqual(waiter.number, 1)

    def test_withdraw(self) -> None:
        """
        A slot whose READY was taken back is not matched.
        """
        self.broker.ready(self.slot)
        self.broker.withdraw(self.slot)
        self.broker.withdraw(self.slot)
        self.wait()

    def test_readyTwice(self) -> None:
        """
        Saying READY again on a slot that is ready changes nothing.
        """
        self.broker.ready(self.slot)
        self.broker.ready(self.slot)
        self.broker.wait(FakeWaiter(), 0.0)
        self.wait()

    def test_cancel(self) -> None:
        """
        A waiter that hung up is passed over; cancelling again changes nothing.
        """
        first, second, third = self.wait(), self.wait(), self.wait()
        for waiter in (first, second, first):
            self.broker.cancel(waiter)
        self.assertEqual(self.broker.held("r"), 1)
        self.assertEqual(self.broker.ready(self.slot), Match(third, self.slot))
        self.broker.cancel(third)
        self.assertEqual(self.broker.snapshot().held, {})

    def test_expire(self) -> None:
        """
        Waiters of all routes expire after C{hold_timeout} seconds.
        """
        self.assertIsNone(self.broker.nextDeadline())
        first = self.wait("b", now=0.0)
        second = self.wait("a", now=1.0)
        third = self.wait("b", now=2.0)
        self.assertEqual(self.broker.nextDeadline(), 60.0)
        self.assertEqual(self.broker.expire(59.9), [])
        self.assertEqual(self.broker.expire(61.0), [Expire(first), Expire(second)])
        self.assertFalse(first.held)
        self.assertEqual(self.broker.nextDeadline(), 62.0)
        self.assertEqual(self.broker.expire(62.0), [Expire(third)])
        self.assertIsNone(self.broker.nextDeadline())

    def test_nextDeadlineFollows(self) -> None:
        """
        The next deadline is that of the waiters that are left.
        """
        first, second = self.wait(now=0.0), self.wait(now=5.0)
        self.broker.cancel(first)
        self.assertEqual(self.broker.nextDeadline(), 65.0)
        self.broker.cancel(second)
        self.assertIsNone(self.broker.nextDeadline())

    def test_takeAll(self) -> None:
        """
        All waiters of a route can be taken, in order.
        """
        waiters = [self.wait(), self.wait(), self.wait()]
        self.wait("other")
        self.broker.cancel(waiters[0])
        self.assertEqual(self.broker.takeAll("r"), waiters[1:])
        self.assertEqual(self.broker.takeAll("r"), [])
        self.assertFalse(waiters[1].held)
        self.assertEqual(self.broker.snapshot().held, {"other": 1})
        self.assertEqual(list(self.broker.snapshot().held), ["other"])

    def test_suspend(self) -> None:
        """
        A suspended instance gets nothing until it is restored; then its ready
        slots serve the waiters.
        """
        instance = self.slot.instance
        other = FakeSlot(instance)
        self.broker.ready(self.slot)
        self.broker.suspend(instance.offer)
        self.broker.suspend(instance.offer)
        first = self.wait()
        self.assertIsNone(self.broker.ready(other))
        second = self.wait()
        matches = [self.broker.restore(instance.offer), self.broker.more("r")]
        self.assertEqual(matches, [Match(first, other), Match(second, self.slot)])
        self.assertEqual(instance.offer.in_flight, 2)
        self.assertIsNone(self.broker.more("r"))
        self.assertIsNone(self.broker.restore(instance.offer))

    def test_restoreIdle(self) -> None:
        """
        Without waiters, the slots of a restored instance are ready again.
        """
        self.broker.ready(self.slot)
        self.broker.suspend(self.slot.instance.offer)
        self.broker.restore(self.slot.instance.offer)
        waiter = FakeWaiter()
        self.assertEqual(self.broker.wait(waiter, 0.0), Match(waiter, self.slot))

    def test_withdrawSuspended(self) -> None:
        """
        A suspended instance can lose its slots.
        """
        self.broker.ready(self.slot)
        self.broker.suspend(self.slot.instance.offer)
        self.broker.withdraw(self.slot)
        self.assertIsNone(self.broker.restore(self.slot.instance.offer))
        self.wait()

    def test_nothingLeft(self) -> None:
        """
        A hundred thousand routes that were requested once leave nothing.
        """
        waiters = [self.wait(f"r{number}") for number in range(100_000)]
        for waiter in waiters[:50_000]:
            self.broker.cancel(waiter)
        self.broker.expire(60.0)
        self.assertEqual(list(self.broker.snapshot().held), [])
        self.assertEqual(self.broker.snapshot(), BrokerSnapshot({}, {}, {}, 0, 0, 0, 100_000))

    def test_cancelledAreDropped(self) -> None:
        """
        Waiters that come and hang up don't pile up behind one that stays.
        """
        broker = FakeBroker(max_held=1000, hold_timeout=60.0)
        patient = FakeWaiter()
        broker.wait(patient, 0.0)
        for _ in range(10_000):
            waiter = FakeWaiter()
            broker.wait(waiter, 0.0)
            broker.cancel(waiter)
        self.assertLess(broker.snapshot().places, 10)
        self.assertLess(broker.snapshot().deadlines, 10)

    def test_servedAreDropped(self) -> None:
        """
        Nor do those that are served meanwhile, on another route.
        """
        self.wait("other")
        for _ in range(1000):
            waiter = self.wait()
            self.assertEqual(self.broker.ready(self.slot), Match(waiter, self.slot))
            self.broker.finish(self.slot)
        self.assertLess(self.broker.snapshot().deadlines, 10)

    def test_offeredAgainAndAgain(self) -> None:
        """
        Nor does one that is offered again and again while another waits.
        """
        patient, unlucky = self.wait("other", now=0.0), self.wait(now=1.0)
        for _ in range(1000):
            self.assertEqual(self.broker.ready(self.slot), Match(unlucky, self.slot))
            self.broker.finish(self.slot)
            self.assertEqual(self.broker.requeue(unlucky, 2.0), Held(unlucky))
        self.assertLess(self.broker.snapshot().deadlines, 10)
        self.assertEqual(self.broker.expire(61.0), [Expire(patient), Expire(unlucky)])

    def test_deadlineOfAgain(self) -> None:
        """
        The deadline of an exchange that is offered again comes before those of all that
        came later, on any route.
        """
        first = self.wait(now=0.0)
        self.broker.ready(self.slot)
        second = self.wait("other", now=1.0)
        self.assertEqual(self.broker.nextDeadline(), 61.0)
        self.broker.requeue(first, 2.0)
        self.assertEqual(self.broker.nextDeadline(), 60.0)
        self.broker.cancel(first)
        self.assertEqual(self.broker.nextDeadline(), 61.0)
        self.assertEqual(self.broker.expire(61.0), [Expire(second)])


class CostTests(SynchronousTestCase):
    """
    What a step costs, in instructions of Python.
    """

    def _cost(self, waiting: int, routes: int) -> float:
        """
        Let exchanges come and be served, on all routes by turns.

        @return: instructions for each.
        """
        broker = FakeBroker(max_held=waiting + 1, hold_timeout=60.0)
        slots = [FakeSlot(makeInstance("a", route=f"r{number}")) for number in range(routes)]
        for number in range(waiting):
            broker.wait(FakeWaiter(f"r{number % routes}"), 0.0)
        executed, steps = 0, 200

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal executed
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
            executed += event == "opcode"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for number in range(steps):
                slot = slots[number % routes]
                broker.wait(FakeWaiter(slot.instance.route), 0.0)
                broker.nextDeadline()
                broker.ready(slot)
                broker.finish(slot)
        finally:
            sys.settrace(before)
        return executed / steps

    def test_manyWait(self) -> None:
        """
        It costs the same, however many wait.
        """
        self.assertLess(self._cost(20_000, 10), 1.1 * self._cost(100, 10))

    def test_manyRoutes(self) -> None:
        """
        It costs the same, on however many routes they wait.
        """
        self.assertLess(self._cost(20_000, 2_000), 1.1 * self._cost(100, 10))
