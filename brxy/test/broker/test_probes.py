"""
Tests of exchanges beyond the capacity of an instance, in L{brxy.broker.broker}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.decisions import Expire, Held, Match, Probe, Recall, Reject
from brxy.broker.snapshot import BrokerSnapshot
from brxy.scaler.instance import Instance
from brxy.test.support.memory.brokers import FakeBroker, FakeSlot, FakeWaiter, makeInstance


class ProbeTests(SynchronousTestCase):
    """
    L{Broker} probes instances beyond their capacity.
    """

    def setUp(self) -> None:
        self.broker = FakeBroker(
            max_held=3, hold_timeout=60.0, max_held_total=3, max_held_per_address=2
        )
        self.one = self.instance("a")
        self.slots = [FakeSlot(self.one) for _ in range(2)]
        for slot in self.slots:
            self.broker.ready(slot)

    def instance(self, ticket: str, generation: int = 1) -> Instance:
        """
        Have an instance that is sure to take one exchange.
        """
        instance = makeInstance(ticket, generation)
        self.broker.resize(instance.offer, 1)
        return instance

    def probe(self, address: str = "") -> FakeWaiter:
        """
        Have an exchange come, and be probed.
        """
        waiter = FakeWaiter(address=address)
        decision = self.broker.wait(waiter, 0.0)
        assert isinstance(decision, Probe) and decision.waiter is waiter
        return waiter

    def probed(self) -> tuple[FakeSlot, FakeWaiter]:
        """
        Have a busy instance that is probed.

        @return: the slot of the other exchange.
        """
        match = self.broker.wait(FakeWaiter(), 0.0)
        assert isinstance(match, Match)
        return match.slot, self.probe()

    def besideBusy(self) -> tuple[FakeWaiter, Instance, FakeSlot]:
        """
        Have an instance that is probed beside another busy one.

        @return: what is probed, the other instance, and a slot of that.
        """
        other = self.instance("b")
        self.broker.ready(FakeSlot(other))
        self.assertIsInstance(self.broker.wait(FakeWaiter(), 0.0), Match)
        _, waiter = self.probed()
        self.assertEqual((self.one.offer.in_flight, other.offer.in_flight), (2, 1))
        return waiter, other, FakeSlot(other)

    def test_beyond(self) -> None:
        """
        What comes beyond the capacity is probed, and still waits, until it is taken.
        """
        _, waiter = self.probed()
        self.assertEqual((self.broker.held("r"), self.one.offer.in_flight), (1, 2))
        self.assertEqual(self.broker.nextDeadline(), 60.0)
        self.assertEqual(
            self.broker.snapshot(), BrokerSnapshot({"r": 1}, {"r": 1}, {}, 1, 1, 0, 2)
        )
        self.assertIsNone(self.broker.taken(waiter))
        self.assertEqual(self.broker.snapshot(), BrokerSnapshot({}, {}, {}, 0, 0, 0, 2))

    def test_sureFirst(self) -> None:
        """
        An instance that is sure to take an exchange comes before a newer one that may not.
        """
        newer = self.instance("b", 2)
        slots = [FakeSlot(newer) for _ in range(2)]
        for slot in slots:
            self.broker.ready(slot)
        taken = [self.broker.wait(FakeWaiter(), 0.0) for _ in range(3)]
        found = [
            (type(each), each.slot.instance) for each in taken if isinstance(each, (Match, Probe))
        ]
        self.assertEqual(found, [(Match, newer), (Match, self.one), (Probe, newer)])

    def test_refused(self) -> None:
        """
        A probe that was refused has its former place.
        """
        _, first = self.probed()
        second = FakeWaiter()
        self.assertEqual(self.broker.wait(second, 0.0), Held(second))
        probed_on = self.slots[0]
        self.broker.finish(probed_on)
        self.assertTrue(self.broker.hasLapsed(probed_on))
        self.assertEqual(self.broker.requeue(first, 1.0), Held(first))
        self.assertFalse(self.broker.hasLapsed(probed_on))
        self.assertEqual(self.broker.takeAll("r"), [first, second])

    def test_limits(self) -> None:
        """
        What is probed counts for the limits, and is not rejected by them.
        """
        broker = FakeBroker(3, 60.0, max_held_per_address=1)
        self.broker.withdrawAll(self.one.offer)
        for slot in self.slots:
            broker.ready(slot)
        broker.wait(FakeWaiter(address="192.0.2.1"), 0.0)
        probed = FakeWaiter(address="192.0.2.1")
        self.assertIsInstance(broker.wait(probed, 0.0), Probe)
        late = FakeWaiter(address="192.0.2.1")
        self.assertEqual(broker.wait(late, 0.0), Reject(late, "address"))
        broker.taken(probed)
        self.assertEqual(broker.wait(late, 0.0), Held(late))

    def test_expired(self) -> None:
        """
        What is probed expires, and can be cancelled or taken with all others.
        """
        _, waiter = self.probed()
        self.assertEqual(self.broker.expire(60.0), [Expire(waiter)])
        self.assertEqual(self.broker.held("r"), 0)
        self.broker.finish(self.slots[0])
        self.assertFalse(self.broker.hasLapsed(self.slots[0]))
        self.broker.ready(self.slots[0])
        again = self.probe()
        self.assertIsNone(self.broker.cancel(again))
        self.broker.finish(self.slots[0])
        self.broker.ready(self.slots[0])
        last = self.probe()
        self.assertEqual(self.broker.takeAll("r"), [last])

    def test_recalled(self) -> None:
        """
        A slot below the capacity of another instance is for what has waited longest, also if
        that is probed; until it is back, the slot is free for others.
        """
        _, first = self.probed()
        second = FakeWaiter()
        self.broker.wait(second, 0.0)
        slot = FakeSlot(self.instance("b"))
        self.assertEqual(self.broker.ready(slot), Recall(first))
        self.assertEqual((first.held, self.broker.held("r")), (False, 1))
        self.assertEqual(self.broker.more("r"), Match(second, slot))
        self.broker.finish(self.slots[0])
        self.assertFalse(self.broker.hasLapsed(self.slots[0]))
        self.assertEqual(self.broker.requeue(first, 0.0), Held(first))

    def test_recalledAtOnce(self) -> None:
        """
        What comes back at once gets the slot before those that came later.
        """
        _, first = self.probed()
        second = FakeWaiter()
        self.broker.wait(second, 0.0)
        slot = FakeSlot(self.instance("b"))
        self.assertEqual(self.broker.ready(slot), Recall(first))
        self.broker.finish(self.slots[0])
        self.assertEqual(self.broker.requeue(first, 0.0), Match(first, slot))
        self.assertIsNone(self.broker.more("r"))

    def test_takenAfterAll(self) -> None:
        """
        The slot for which a waiter was recalled in vain is for the next one.
        """
        first, _, slot = self.besideBusy()
        self.broker.ready(slot)
        second = self.probe()
        self.assertEqual(self.broker.ready(FakeSlot(self.instance("c"))), Recall(first))
        self.assertIsNone(self.broker.more("r"))
        self.assertEqual(self.broker.taken(first), Recall(second))

    def test_roomMeanwhile(self) -> None:
        """
        A probe whose instance has room meanwhile is not recalled.
        """
        busy, _ = self.probed()
        self.broker.finish(busy)
        self.assertIsNone(self.broker.ready(FakeSlot(self.instance("b"))))

    def test_stands(self) -> None:
        """
        A probe that has stood for a while is recalled for any slot of another instance, though
        that may be full, too.
        """
        waiter, _, slot = self.besideBusy()
        self.assertIsNone(self.broker.stands(waiter))
        self.assertEqual(self.broker.ready(slot), Recall(waiter))

    def test_standsBesideReady(self) -> None:
        """
        The same holds for a slot that is ready already, but not for one of the same instance.
        """
        waiter, _, slot = self.besideBusy()
        same = FakeSlot(self.one)
        self.broker.ready(same)
        self.assertIsNone(self.broker.stands(waiter))
        self.broker.withdraw(same)
        self.assertEqual(self.broker.ready(slot), Recall(waiter))
        self.assertIsNone(self.broker.stands(waiter))

    def test_resize(self) -> None:
        """
        With a larger capacity the ready slots are sure, with a smaller one they are not.
        """
        self.broker.wait(FakeWaiter(), 0.0)
        self.broker.resize(self.one.offer, 2)
        self.assertIsInstance(self.broker.wait(FakeWaiter(), 0.0), Match)
        self.broker.finish(self.slots[0])
        self.broker.resize(self.one.offer, 1)
        self.broker.ready(self.slots[0])
        self.probe()

    def test_resizeRecalls(self) -> None:
        """
        A slot that is sure by a larger capacity is for what is probed elsewhere.
        """
        waiter, other, slot = self.besideBusy()
        self.assertIsNone(self.broker.ready(slot))
        self.assertEqual(self.broker.resize(other.offer, 2), Recall(waiter))

    def test_suspended(self) -> None:
        """
        The slots of an instance that was suspended are for what is probed elsewhere.
        """
        other = self.instance("b")
        slot = FakeSlot(other)
        self.broker.suspend(other.offer)
        self.broker.ready(slot)
        _, waiter = self.probed()
        self.assertEqual(self.broker.restore(other.offer), Recall(waiter))
