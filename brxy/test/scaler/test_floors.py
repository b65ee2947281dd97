"""
Tests of L{brxy.scaler.shortage.Floors}, and of how a scaler keeps to them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge


class FloorTests(SynchronousTestCase):
    """
    Tests of L{Floors}.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([Rule(None, 3, 2)], max_total=4)

    def wake(self, route: str, number: int, seconds: float = 100.0) -> list[Instance]:
        """
        @return: what is ordered for that.
        """
        before = len(self.edge.spawned)
        self.edge.scaler.floors.set(route, number, self.edge.now + seconds)
        self.edge.demand(route)
        return self.edge.spawned[before:]

    def start(self, instance: Instance) -> None:
        self.edge.dial(instance.ticket, instance.ticket, instance.route, 2)
        self.edge.ready(instance)

    def test_ordered(self) -> None:
        """
        What a route lacks of its minimum is ordered, without waiters, and only once.
        """
        self.assertEqual(len(self.wake("a", 2)), 2)
        self.assertEqual(self.wake("a", 2), [])
        self.assertEqual(len(self.wake("a", 3)), 1)
        self.assertEqual(self.wake("a", 1), [])

    def test_waiters(self) -> None:
        """
        Instances for waiters count.
        """
        self.edge.hold(3, "a")
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual(self.wake("a", 2), [])

    def test_replaced(self) -> None:
        """
        One that leaves is replaced until the time is over.
        """
        first, _ = self.wake("a", 2, 50.0)
        self.start(first)
        self.edge.advance(2.0)
        before = len(self.edge.spawned)
        self.edge.lose(first)
        self.edge.end(first)
        self.assertEqual(len(self.edge.spawned), before + 1)
        self.edge.advance(51.0)
        last = self.edge.spawned[-1]
        before = len(self.edge.spawned)
        self.edge.end(last)
        self.assertEqual(len(self.edge.spawned), before)

    def test_limits(self) -> None:
        """
        No maximum is exceeded; what is missing is ordered when there is room.
        """
        self.assertEqual(len(self.wake("a", 5)), 3)
        [only] = self.wake("b", 2)
        self.edge.end(self.edge.spawned[0])
        self.edge.advance(2.0)
        orders = [each.route for each in self.edge.spawned[4:]]
        self.assertEqual(len(orders), 1)
        self.assertEqual(only.state, State.ORDERED)

    def test_room(self) -> None:
        """
        An idle instance that its route must have makes no room for another route; one
        beyond that does.
        """
        for instance in self.wake("a", 3):
            self.start(instance)
        self.start(*self.wake("b", 1))
        self.edge.hold(1, "c")
        self.assertEqual(self.edge.retired, [])
        self.wake("a", 2)
        self.edge.hold(1, "d")
        self.assertEqual([each.route for each in self.edge.retired], ["a"])

    def test_maximum(self) -> None:
        """
        It is known how many instances a route may have.
        """
        self.assertEqual(self.edge.scaler.snapshots.maximum("a"), 3)
        edge = FakeEdge([Rule("a", 3, 2), Rule(None, 9, 1)], max_total=10)
        self.assertEqual(edge.scaler.snapshots.maximum("a"), 10)
        self.assertEqual(edge.scaler.snapshots.maximum("b"), 9)
