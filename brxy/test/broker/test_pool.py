"""
Tests for L{brxy.broker.pool}, as L{brxy.broker.broker.Broker} uses it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.decisions import Match
from brxy.scaler.instance import Instance
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class PoolTests(SynchronousTestCase):
    """
    Which of the ready slots L{Broker} takes.
    """

    def setUp(self) -> None:
        self.broker = FakeBroker(max_held=1000, hold_timeout=60.0)

    def offer(self, instance: Instance, slots: int = 1) -> list[FakeSlot]:
        """
        Have slots of an instance ready.
        """
        offered = [FakeSlot(instance) for _ in range(slots)]
        for slot in offered:
            self.broker.ready(slot)
        return offered

    def take(self) -> FakeSlot:
        """
        Take the next slot.
        """
        match = self.broker.wait(FakeWaiter(), 0.0)
        assert isinstance(match, Match)
        return match.slot

    def test_newestFirst(self) -> None:
        """
        The newest generation comes first, though an older one is busier.
        """
        older, newer = makeInstance("a", 1), makeInstance("b", 2)
        self.offer(older, 2)
        self.take()
        self.offer(newer)
        self.assertIs(self.take().instance, newer)
        self.assertIs(self.take().instance, older)

    def test_firstSpawnerFirst(self) -> None:
        """
        What an earlier spawner started comes first, though it is older.
        """
        first, second = makeInstance("a", 1, rank=0), makeInstance("b", 2, rank=1)
        self.offer(second, 2)
        self.offer(first, 2)
        order = [self.take().instance for _ in range(4)]
        self.assertEqual(order, [first, first, second, second])

    def test_busiestFirst(self) -> None:
        """
        Among instances of one generation the busiest comes first, so that the
        others can become idle.
        """
        one, two = makeInstance("a"), makeInstance("b")
        self.offer(one, 3)
        self.take()
        self.take()
        self.offer(two, 3)
        self.assertIs(self.take().instance, one)
        self.assertIs(self.take().instance, two)

    def test_finishedIsLessBusy(self) -> None:
        """
        What has finished no longer makes its instance the busiest.
        """
        one, two = makeInstance("a"), makeInstance("b")
        self.offer(one, 3)
        taken = [self.take(), self.take()]
        self.offer(two, 3)
        self.broker.suspend(one.offer)
        self.assertIs(self.take().instance, two)
        self.broker.restore(one.offer)
        for slot in taken:
            self.broker.finish(slot)
        self.assertIs(self.take().instance, two)

    def test_ticketLast(self) -> None:
        """
        Where all else is equal, the ticket decides.
        """
        one, two = makeInstance("a"), makeInstance("b")
        self.offer(two)
        self.offer(one)
        self.assertIs(self.take().instance, one)

    def test_warmSlotFirst(self) -> None:
        """
        Of one instance the slot that was used last comes first.
        """
        slots = self.offer(makeInstance("a"), 3)
        self.assertIs(self.take(), slots[2])
        self.broker.finish(slots[2])
        self.broker.ready(slots[2])
        self.assertIs(self.take(), slots[2])
        self.assertIs(self.take(), slots[1])

    def test_comingAndGoing(self) -> None:
        """
        What one instance left in its pool by coming and going changes neither
        the order nor the size of it.
        """
        self.offer(makeInstance("a", 1), 3)
        self.offer(makeInstance("b", 2))
        restless = makeInstance("c", 1)
        for _ in range(1000):
            [slot] = self.offer(restless)
            self.broker.withdraw(slot)
        self.offer(restless, 2)
        self.assertLess(self.broker.snapshot().offers, 10)
        order = [self.take().instance.ticket for _ in range(6)]
        self.assertEqual(order, ["b", "a", "a", "a", "c", "c"])

    def test_lostInstancesAreDropped(self) -> None:
        """
        Instances that come and go don't pile up behind one that stays.
        """
        self.offer(makeInstance("z", 1_000_000))
        for number in range(1000):
            for slot in self.offer(makeInstance(str(number))):
                self.broker.withdraw(slot)
        self.assertLess(self.broker.snapshot().offers, 10)
