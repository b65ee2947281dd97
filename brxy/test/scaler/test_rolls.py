"""
Tests for L{brxy.scaler.rolls}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.decisions import RollFailed
from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge


class RollTests(SynchronousTestCase):
    """
    A roll replaces the instances of a route one by one.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([Rule(None, 3, 1)])

    def start(self, number: int) -> list[Instance]:
        """
        Have this number of instances that serve an exchange each.
        """
        instances = self.edge.hold(number)
        for instance in instances:
            self.edge.start(instance)
            self.edge.serve(instance)
            self.edge.perform(self.edge.scaler.answered(instance, self.edge.now))
        return instances

    def roll(self) -> None:
        """
        Roll the route.
        """
        self.edge.perform(self.edge.scaler.roll("r", self.edge.now))

    def test_below(self) -> None:
        """
        The next newer instance is ordered when the one before is ready, for
        which one older is retired, the oldest first, until none is left.
        """
        older = self.start(2)
        self.roll()
        for number in range(2):
            self.assertEqual(len(self.edge.spawned), 3 + number)
            self.assertEqual(self.edge.retired, older[:number])
            self.edge.start(self.edge.spawned[-1])
            self.assertEqual(self.edge.retired, older[: number + 1])
            self.edge.end(older[number])
        self.assertEqual(self.edge.scaler.instances("r"), self.edge.spawned[2:])
        self.edge.advance(100.0)
        self.assertEqual(len(self.edge.spawned), 4)

    def test_atMaximum(self) -> None:
        """
        It goes one above the maximum, and waits for what drains to be gone.
        """
        older = self.start(3)
        self.roll()
        self.assertEqual(self.edge.scaler.total(), 4)
        self.edge.start(self.edge.spawned[3])
        self.assertEqual(self.edge.scaler.total(), 4)
        self.edge.end(older[0], "exit status 0")
        self.assertEqual(self.edge.scaler.total(), 4)
        self.assertEqual(len(self.edge.spawned), 5)

    def test_atTotal(self) -> None:
        """
        The maximum of all routes holds rolls up in the same way: they go one
        above it, all together.
        """
        self.edge = FakeEdge(max_total=2)
        older = self.start(1)
        [other] = self.edge.hold(1, "s")
        self.edge.start(other)
        self.roll()
        self.edge.perform(self.edge.scaler.roll("s", 0.0))
        self.assertEqual(self.edge.scaler.total(), 3)
        newer = self.edge.start(self.edge.spawned[2])
        self.edge.end(older[0])
        self.assertEqual([each.route for each in self.edge.spawned[3:]], ["s"])
        self.assertEqual(newer.state, State.READY)

    def test_nothing(self) -> None:
        """
        There is nothing to do for a route without instances.
        """
        self.roll()
        self.assertEqual(self.edge.spawned, [])
        self.assertEqual(self.edge.roll_failures, [])

    def test_noSpawner(self) -> None:
        """
        An instance that no spawn could replace stays.
        """
        self.edge = FakeEdge([Rule("x", 1, 1)])
        self.edge.dial(node_id="n")
        self.roll()
        self.assertEqual(self.edge.roll_failures, [RollFailed("r", "no spawner for it")])
        self.assertEqual(self.edge.retired, [])

    def test_strangers(self) -> None:
        """
        Instances that came by themselves are replaced by ordered ones.
        """
        stranger = self.edge.dial(node_id="n")
        self.roll()
        self.edge.start(self.edge.spawned[0])
        self.assertEqual(self.edge.retired, [stranger])

    def test_sameSpawner(self) -> None:
        """
        An instance is replaced by one of its own spawner.
        """
        self.edge = FakeEdge([Rule(None, 1, 1), Rule(None, 1, 1)])
        older = self.start(2)
        self.edge.end(older[0])
        self.edge.advance(20.0)
        self.roll()
        self.assertEqual(self.edge.spawned[-1].spawn, "1")

    def test_fails(self) -> None:
        """
        The first order that fails ends the roll; older instances stay.
        """
        self.start(2)
        self.roll()
        self.edge.end(self.edge.spawned[2], "exit status 1")
        self.assertEqual(self.edge.roll_failures, [RollFailed("r", "exit status 1")])
        self.assertEqual(self.edge.retired, [])
        self.edge.advance(100.0)
        self.assertEqual(len(self.edge.spawned), 3)

    def test_timesOut(self) -> None:
        """
        So does one that is not ready in time.
        """
        self.start(1)
        self.roll()
        self.edge.advance(50.0)
        self.assertEqual(self.edge.roll_failures, [RollFailed("r", "not ready within 50 s")])
        self.assertEqual(len(self.edge.stopped), 1)

    def test_breakerOpen(self) -> None:
        """
        It does not even begin while orders fail.
        """
        self.start(1)
        self.edge.advance(20.0)
        self.edge.end(self.edge.hold()[0], "exit status 1")
        self.roll()
        self.assertEqual(self.edge.roll_failures, [RollFailed("r", "exit status 1")])

    def test_olderLeavesByItself(self) -> None:
        """
        An older instance that has left need not be replaced.
        """
        older = self.start(2)
        self.roll()
        self.edge.end(older[1], "exit status 0")
        self.edge.start(self.edge.spawned[2])
        self.assertEqual(self.edge.retired, older[:1])
        self.assertEqual(len(self.edge.spawned), 3)

    def test_olderStillStarting(self) -> None:
        """
        An older instance that is not connected yet is stopped in its turn.
        """
        [older] = self.edge.hold()
        self.roll()
        self.edge.start(self.edge.spawned[1])
        self.assertEqual([stop.instance for stop in self.edge.stopped], [older])
        self.assertEqual(self.edge.hold(0), [])

    def test_again(self) -> None:
        """
        A second roll also replaces what the first has ordered, and never has
        more instances than one above the maximum.
        """
        self.edge = FakeEdge([Rule(None, 1, 1)])
        [first] = self.start(1)
        self.roll()
        self.roll()
        second = self.edge.spawned[1]
        self.assertEqual(len(self.edge.spawned), 2)
        self.edge.start(second)
        self.assertEqual(self.edge.retired, [first])
        self.edge.end(first, "exit status 0")
        third = self.edge.spawned[2]
        self.edge.start(third)
        self.assertEqual(self.edge.retired, [first, second])
        self.edge.end(second, "exit status 0")
        self.assertEqual(self.edge.scaler.instances("r"), [third])

    def test_againAlone(self) -> None:
        """
        If nothing else is left by then, it serves until it is replaced.
        """
        [first] = self.start(1)
        self.roll()
        self.roll()
        self.edge.end(first, "exit status 0")
        second = self.edge.start(self.edge.spawned[1])
        self.assertEqual(self.edge.retired, [])
        self.edge.start(self.edge.spawned[2])
        self.assertEqual(self.edge.retired, [second])

    def test_heldAreServed(self) -> None:
        """
        Demand is still met during a roll, within the maximum.
        """
        self.start(2)
        self.roll()
        self.assertEqual(self.edge.hold(1), [])
        self.assertEqual(self.edge.hold(5), [])
        self.edge.end(self.edge.spawned[2], "exit status 1")
        self.assertEqual(len(self.edge.spawned), 4)
