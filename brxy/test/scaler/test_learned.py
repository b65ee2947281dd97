"""
Tests of L{brxy.scaler.learned}, and of orders by what is learned.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from brxy.broker.offer import UNLIMITED
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import BELIEVED, MISSES, PATIENCE, PATIENCE_MOST, STEADY, Capacities
from brxy.scaler.orders import DOUBT
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge
from brxy.values.capacity import AUTO

LEARNS = Rule(None, 100, AUTO)


class FirstTests(SynchronousTestCase):
    """
    The first instance ever, of which nothing is known.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([LEARNS])

    def test_one(self) -> None:
        """
        However many wait, one instance is ordered; it is sure to take one exchange.
        """
        [instance] = self.edge.hold(16)
        self.assertEqual((instance.capacity, instance.offer.capacity), (1, 1))
        self.assertTrue(instance.learns)
        self.assertEqual(self.edge.hold(10), [])

    def test_rest(self) -> None:
        """
        When it is found full, the rest is ordered at once, by what it takes.
        """
        [instance] = self.edge.hold(16)
        self.edge.start(instance)
        for capacity in range(1, 5):
            self.edge.grow(instance, capacity)
        self.assertEqual(len(self.edge.spawned), 1)
        self.assertEqual(len(self.edge.full(instance)), 3)
        self.assertEqual(self.edge.waiting["r"], 12)
        self.assertEqual(len(self.edge.hold(1)), 1)
        self.assertEqual(self.edge.hold(3), [])

    def test_refusals(self) -> None:
        """
        One that refuses is full after some refusals in a row: another worker may be free.
        """
        [instance] = self.edge.hold(16)
        self.edge.start(instance)
        for _ in range(MISSES - 1):
            self.assertEqual(self.edge.full(instance, refused=True), [])
        self.edge.grow(instance, 2)
        for _ in range(MISSES - 1):
            self.assertEqual(self.edge.full(instance, refused=True), [])
        self.assertEqual(len(self.edge.full(instance, refused=True)), 7)

    def test_takesAll(self) -> None:
        """
        None follows an instance that takes all there are.
        """
        [instance] = self.edge.hold(16)
        self.edge.start(instance)
        for capacity in range(1, 17):
            self.edge.grow(instance, capacity)
        self.edge.advance(10.0)
        self.assertEqual(len(self.edge.spawned), 1)
        self.assertEqual(self.edge.settled, [])

    def test_most(self) -> None:
        """
        An instance that has its maximum is full.
        """
        self.edge = FakeEdge([Rule(None, 100, AUTO, max_capacity=8)])
        [instance] = self.edge.hold(20)
        self.edge.start(instance)
        for capacity in range(1, 8):
            self.edge.grow(instance, capacity)
        self.assertEqual(len(self.edge.spawned), 1)
        self.edge.grow(instance, 8)
        self.assertEqual(len(self.edge.spawned), 3)
        self.assertEqual([each.capacity for each in self.edge.settled], [8])

    def test_probe(self) -> None:
        """
        A probe is in flight, and its exchange still waits: it counts once.
        """
        [instance] = self.edge.hold(2)
        self.edge.start(instance)
        self.edge.grow(instance, 1)
        instance.offer.in_flight += 1
        self.assertEqual(len(self.edge.full(instance)), 1)
        self.assertEqual(self.edge.hold(0), [])

    def test_failed(self) -> None:
        """
        The next is ordered when it was given up: nothing is known still.
        """
        [instance] = self.edge.hold(16)
        self.edge.end(instance)
        self.edge.hold(0)
        self.edge.advance(1.0)
        self.edge.hold(16)
        self.assertEqual(len(self.edge.spawned), 2)

    def test_otherSpawn(self) -> None:
        """
        What one takes says nothing of the instances of another spawn, or another route.
        """
        self.edge = FakeEdge([Rule(None, 1, AUTO), LEARNS])
        [instance] = self.edge.hold(16)
        self.edge.start(instance)
        self.edge.grow(instance, 1)
        [other] = self.edge.full(instance)
        self.assertEqual(other.spawn, "1")
        self.assertEqual(len(self.edge.hold(16, "s")), 1)

    def test_idle(self) -> None:
        """
        One that learns is idle when it has no exchange and a slot is ready, and makes room.
        """
        self.edge = FakeEdge([Rule("r", 1, AUTO), Rule("s", 1, AUTO)], max_total=1)
        [instance] = self.edge.hold(1)
        self.edge.start(instance)
        self.edge.grow(instance, 1)
        self.edge.hold(1, "s")
        self.assertEqual(self.edge.retired, [])
        self.edge.finish(instance)
        self.assertEqual(self.edge.retired, [instance])


class KnownTests(SynchronousTestCase):
    """
    Instances of which it is known how many exchanges they take at once.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([LEARNS])
        self.first = self.know(4)

    def know(self, capacity: int) -> Instance:
        """
        Have an instance be found full.
        """
        [instance] = self.edge.hold(capacity)
        self.edge.start(instance)
        for each in range(1, capacity + 1):
            self.edge.grow(instance, each)
        self.edge.full(instance)
        self.edge.advance(2.0)
        return instance

    def known(self) -> int | None:
        return self.edge.scaler.restarts.capacities.expected("0", "r")

    def test_orders(self) -> None:
        """
        They are ordered as those of a fixed capacity.
        """
        self.edge.end(self.first, detached=False)
        self.assertEqual(len(self.edge.hold(9)), 3)
        self.assertEqual(self.edge.hold(3), [])
        self.assertEqual(len(self.edge.hold(1)), 1)

    def test_ready(self) -> None:
        """
        An instance that is ready is counted on for as many, before it has shown them.
        """
        self.edge.end(self.first)
        [instance] = self.edge.hold(4)
        self.edge.start(instance)
        self.assertEqual(len(self.edge.hold(1)), 1)

    def test_unused(self) -> None:
        """
        What an instance took lately is counted on when it is no longer sure.
        """
        self.edge.finish(self.first)
        self.edge.perform(self.edge.scaler.resized(self.first, 1, self.edge.now))
        self.assertEqual(self.edge.hold(4), [])
        self.assertEqual(len(self.edge.hold(1)), 1)
        self.assertEqual(self.known(), 4)

    def test_probed(self) -> None:
        """
        If an instance was not found full lately, it is first seen whether it takes more.
        """
        self.edge.advance(BELIEVED)
        self.first.offer.in_flight += 1
        self.assertEqual(self.edge.hold(5), [])
        self.assertEqual(len(self.edge.full(self.first)), 2)
        self.assertEqual(len(self.edge.hold(4)), 1)
        self.edge.advance(0.9 * BELIEVED)
        self.assertEqual(len(self.edge.hold(4)), 1)

    def test_probedForLong(self) -> None:
        """
        That takes no longer than with one of which nothing is known.
        """
        self.edge.advance(BELIEVED)
        self.first.offer.in_flight += 1
        self.edge.hold(5)
        self.edge.advance(1.1 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 3)

    def test_more(self) -> None:
        """
        If an instance takes more than was known, nothing is known until it is full.
        """
        self.edge.waiting["r"] += 1
        self.edge.grow(self.first, 5)
        self.assertIsNone(self.known())
        self.assertEqual(self.edge.hold(20), [])
        self.assertEqual(len(self.edge.full(self.first)), 4)
        self.assertEqual(self.known(), 5)

    def test_fewer(self) -> None:
        """
        If an instance takes fewer, the next are ordered by a number half-way between.
        """
        self.edge.finish(self.first)
        self.edge.perform(self.edge.scaler.resized(self.first, 1, self.edge.now))
        self.edge.hold(2)
        self.edge.serve(self.first)
        self.assertEqual(len(self.edge.full(self.first)), 1)
        self.assertEqual(self.known(), 2)
        self.assertEqual(len(self.edge.hold(5)), 2)

    def test_settled(self) -> None:
        """
        Each instance is reported full once, when it has been for a while.  There is news only
        of another number.
        """
        self.assertEqual(self.edge.settled, [])
        self.edge.now += STEADY
        before = self.edge.learned
        for _ in range(2):
            self.edge.full(self.first)
        self.assertEqual([each.instance for each in self.edge.settled], [self.first])
        [instance] = self.edge.hold(2)
        self.edge.start(instance)
        for capacity in range(1, 5):
            self.edge.waiting["r"] += 1
            self.edge.grow(instance, capacity)
            self.assertEqual(instance.expected, 4)
        self.edge.full(instance)
        self.edge.now += STEADY
        self.edge.full(instance)
        self.assertEqual([each.instance for each in self.edge.settled], [self.first, instance])
        self.assertEqual([each.capacity for each in self.edge.settled], [4, 4])
        self.assertEqual(self.edge.learned, before)
        self.edge.waiting["r"] += 1
        self.edge.grow(instance, 5)
        self.edge.full(instance)
        self.assertEqual(self.edge.learned, before + 2)
        self.assertEqual(len(self.edge.settled), 2)

    def test_roll(self) -> None:
        """
        A roll orders one at a time, and what it orders counts by what is known.
        """
        self.edge.perform(self.edge.scaler.roll("r", self.edge.now))
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual(self.edge.hold(4), [])
        self.assertEqual(len(self.edge.hold(1)), 1)

    def test_snapshot(self) -> None:
        """
        A snapshot says what is sure, and that it is settled.
        """
        [each] = self.edge.snapshot().routes["r"].instances
        self.assertEqual((each.capacity, each.learns, each.settled), (4, True, True))


class DoubtTests(SynchronousTestCase):
    """
    Instances that are not found full, and take up no more.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([LEARNS])
        [self.instance] = self.edge.hold(1)

    def test_noProbes(self) -> None:
        """
        One that has waiters, and does not grow, is full: its node may have a maximum of
        its own.
        """
        self.edge.start(self.instance)
        self.edge.hold(4)
        for capacity in range(2, 5):
            self.edge.advance(0.8 * DOUBT)
            self.edge.grow(self.instance, capacity)
        self.edge.advance(0.8 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 1)
        self.edge.advance(0.3 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual([each.capacity for each in self.edge.settled], [4])

    def test_slow(self) -> None:
        """
        The time to its readiness does not count.
        """
        self.edge.hold(3)
        self.edge.advance(10 * DOUBT)
        self.edge.start(self.instance)
        self.edge.grow(self.instance, 1)
        self.edge.advance(0.9 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 1)

    def test_busy(self) -> None:
        """
        One that lets exchanges wait is not full if it takes them up within a part of the
        time that it took to start.
        """
        self._standing(after=4.0)
        self.edge.advance(0.9 * PATIENCE * 4.0)
        self.edge.grow(self.instance, 6)
        self.edge.advance(10 * PATIENCE_MOST)
        self.assertEqual(len(self.edge.spawned), 1)

    def test_standing(self) -> None:
        """
        After that time it is full, however many exchanges have waited one after another.
        """
        self._standing(after=4.0)
        for _ in range(9):
            self.edge.advance(0.1 * PATIENCE * 4.0)
            self.assertEqual(self.edge.full(self.instance), [])
        self.edge.advance(0.11 * PATIENCE * 4.0)
        self.assertEqual(len(self.edge.spawned), 6)

    def test_refusing(self) -> None:
        """
        The same holds for one that refuses exchanges.
        """
        self._standing(after=4.0)
        for _ in range(2 * MISSES):
            self.assertEqual(self.edge.full(self.instance, refused=True), [])
        self.edge.advance(1.1 * PATIENCE * 4.0)
        self.assertEqual(len(self.edge.spawned), 6)

    def test_quickStart(self) -> None:
        """
        One that was quick to start is full sooner than one that lets none wait.
        """
        self._standing(after=0.1)
        self.edge.advance(1.1 * PATIENCE * 0.1)
        self.assertEqual(len(self.edge.spawned), 6)

    def test_slowStart(self) -> None:
        """
        The time has a maximum.
        """
        self._standing(after=40.0)
        self.edge.advance(0.9 * PATIENCE_MOST)
        self.assertEqual(len(self.edge.spawned), 1)
        self.edge.advance(0.2 * PATIENCE_MOST)
        self.assertEqual(len(self.edge.spawned), 6)

    def test_bursts(self) -> None:
        """
        One that was slow to start is not full if nothing waits from time to time.
        """
        self._standing(after=8.0)
        for _ in range(8):
            self.edge.advance(0.3)
            self.edge.waiting.clear()
            self.edge.advance(0.3)
            self.edge.hold(1)
        self.assertEqual(len(self.edge.spawned), 1)

    def test_quickBursts(self) -> None:
        """
        Nor is one that was quick to start.
        """
        self._standing(after=0.4)
        for _ in range(8):
            self.edge.advance(0.05)
            self.edge.waiting.clear()
            self.edge.advance(0.02)
            self.edge.hold(1)
            self.edge.full(self.instance)
        self.assertEqual(len(self.edge.spawned), 1)

    def test_noRoom(self) -> None:
        """
        One whose route has its maximum of instances is found full as well.
        """
        self.edge = FakeEdge([Rule(None, 1, AUTO)])
        [self.instance] = self.edge.hold(1)
        self._standing(after=4.0)
        self.edge.advance(1.1 * PATIENCE * 4.0)
        self.edge.full(self.instance)
        self.assertEqual(self.instance.full_at, self.edge.now)

    def _standing(self, after: float) -> None:
        """
        Have the instance start within this time, take one exchange, and let another of five
        wait.
        """
        self.edge.hold(5)
        self.edge.advance(after)
        self.edge.start(self.instance)
        self.edge.grow(self.instance, 1)
        self.assertEqual(self.edge.full(self.instance), [])

    def test_served(self) -> None:
        """
        One whose waiters were all served is not doubted later because of them.
        """
        self.edge.start(self.instance)
        self.edge.serve(self.instance)
        self.edge.hold(1)
        self.edge.waiting.clear()
        self.edge.advance(10 * DOUBT)
        self.edge.hold(1)
        self.assertEqual(len(self.edge.spawned), 1)
        self.edge.advance(1.1 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 2)

    def test_lost(self) -> None:
        """
        One that takes not even what it is sure to take says nothing of others.
        """
        self.edge.start(self.instance)
        self.edge.lose(self.instance)
        self.edge.hold(2)
        self.edge.advance(1.1 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual((self.edge.settled, self.edge.learned), ([], 0))

    def test_slowdown(self) -> None:
        """
        One that is sure to take fewer than it was found full at, and does not grow, is
        full there.
        """
        self.edge.hold(5)
        self.edge.start(self.instance)
        for capacity in range(1, 5):
            self.edge.grow(self.instance, capacity)
        self.edge.waiting.clear()
        self.edge.full(self.instance)
        self.edge.perform(self.edge.scaler.resized(self.instance, 3, self.edge.now))
        self.instance.offer.in_flight = 3
        self.assertEqual(self.edge.hold(1), [])
        self.edge.advance(1.1 * DOUBT)
        self.assertEqual(len(self.edge.spawned), 2)


class NodeTests(SynchronousTestCase):
    """
    Nodes say whether they learn.
    """

    def test_fixed(self) -> None:
        """
        The node of an order that learns may know how many it takes.
        """
        edge = FakeEdge([LEARNS])
        [instance] = edge.hold(5)
        edge.dial(instance.ticket, capacity=2)
        self.assertEqual((instance.learns, instance.capacity), (False, 2))
        self.assertEqual(instance.sure, UNLIMITED)
        # So will the others.
        self.assertEqual(len(edge.spawned), 3)
        self.assertEqual(edge.learned, 1)
        edge.dial(instance.ticket, capacity=2)
        self.assertEqual(edge.full(instance), [])
        self.assertEqual(edge.learned, 1)

    def test_fronted(self) -> None:
        """
        The edge may be unable to learn how many one takes that it fronts: then that holds for
        the others as well, which are ordered at once.
        """
        edge = FakeEdge([LEARNS])
        [instance] = edge.hold(5)
        instance.learn(False)
        edge.perform(edge.scaler.fronted(instance.ticket, edge.now))
        self.assertEqual(len(edge.spawned), 5)
        self.assertEqual(edge.learned, 1)

    def test_learns(self) -> None:
        """
        A node may learn what an order counted on.
        """
        edge = FakeEdge([Rule(None, 10, 2)])
        [instance] = edge.hold(2)
        edge.dial(instance.ticket, capacity=1, learns=True)
        edge.ready(instance)
        self.assertEqual((instance.learns, instance.sure), (True, 1))
        self.assertEqual(edge.hold(5), [])
        edge.serve(instance)
        self.assertEqual(len(edge.full(instance)), 3)

    def test_byItself(self) -> None:
        """
        One that came by itself is counted on like any other.
        """
        edge = FakeEdge([Rule(None, 10, 1)])
        instance = edge.dial(node_id="n", capacity=1, learns=True)
        edge.ready(instance)
        self.assertEqual(edge.hold(5), [])
        edge.serve(instance)
        self.assertEqual(len(edge.full(instance)), 4)

    def test_gone(self) -> None:
        """
        What slots say of an instance that is gone is of no matter.
        """
        edge = FakeEdge([LEARNS])
        [instance] = edge.hold(1)
        edge.start(instance)
        edge.waiting.clear()
        edge.end(instance)
        self.assertIs(instance.state, State.GONE)
        edge.perform(edge.scaler.resized(instance, 3, edge.now))
        edge.perform(edge.scaler.full(instance, False, edge.now))
        self.assertEqual((edge.settled, instance.capacity), ([], 1))

    def test_rolled(self) -> None:
        """
        If a roll replaces one that may take any number by one that takes fewer than wait, more
        are ordered.
        """
        edge = FakeEdge([LEARNS])
        edge.hold(1)
        [route] = {each.route for each in edge.spawned}
        edge.perform(edge.scaler.roll(route, edge.now))
        [_, newer] = edge.spawned
        edge.hold(1)
        edge.dial(newer.ticket)
        edge.ready(newer)
        self.assertEqual(len(edge.spawned), 3)


class RestartTests(SynchronousTestCase):
    """
    What is remembered over a restart of the edge.
    """

    RULES = (Rule(None, 10, AUTO, "auto", True), Rule("x", 10, 7, "set", True))

    def test_known(self) -> None:
        """
        What was learned is known after a restart.
        """
        before = FakeEdge(self.RULES)
        [instance] = before.hold(3)
        before.start(instance)
        before.grow(instance, 1)
        before.grow(instance, 2)
        before.full(instance)
        records = json.loads(json.dumps(before.scaler.restarts.capacities.records()))
        self.assertEqual(records, [["auto", "r", 2]])
        after = FakeEdge(self.RULES)
        after.scaler.restarts.capacities.restore(records)
        self.assertEqual(len(after.hold(5)), 3)

    def test_instances(self) -> None:
        """
        An instance that learns has to show again how many it takes, unless that is set now.
        """
        before = FakeEdge(self.RULES)
        [order] = before.hold(6)
        for route in ("r", "x"):
            instance = before.dial(node_id=f"{route} by itself", route=route, learns=True)
            before.perform(before.scaler.resized(instance, 5, before.now))
        records = json.loads(json.dumps(before.scaler.restarts.records()))
        after = FakeEdge(self.RULES)
        after.scaler.restarts.restore(records, 0.0)
        again = [*after.scaler.instances("r"), *after.scaler.instances("x")]
        self.assertEqual([each.learns for each in again], [True, True, True])
        self.assertEqual([each.sure for each in again], [1, 1, 1])
        self.assertIn(order.ticket, [each.ticket for each in again])
        [record] = [each for each in records if each["ticket"] == order.ticket]
        fixed = FakeEdge([Rule(None, 10, 7, "auto", True)])
        [instance] = fixed.scaler.restarts.restore([record], 0.0)
        self.assertEqual((instance.capacity, instance.sure), (7, UNLIMITED))


class CapacitiesTests(SynchronousTestCase):
    """
    Tests of L{Capacities}.
    """

    def test_bounded(self) -> None:
        """
        Of many, those are known that were found last.
        """
        capacities = Capacities()
        for number in range(3 * Capacities.MOST):
            for route in ("often", f"r{number}"):
                capacities.full(Instance("t", route, 3, 1, spawn="s", learns=True), 0.0)
        self.assertEqual(len(capacities), Capacities.MOST)
        self.assertEqual(capacities.expected("s", "often"), 3)
        self.assertIsNone(capacities.expected("s", "r0"))
        again = Capacities()
        again.restore([("s", "first", 1), *capacities.records()])
        self.assertEqual(again.records(), capacities.records())
