"""
Tests for L{brxy.scaler.scaler}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.decisions import Buried, Decision
from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule
from brxy.scaler.snapshot import SpawnSnapshot
from brxy.test.support.memory.fleets import EPOCH, FakeEdge


class DemandTests(SynchronousTestCase):
    """
    How many instances are ordered.
    """

    def test_exactly(self) -> None:
        """
        1,000 waiters at capacity 50 order 20 instances, whether they come at
        once or one by one.
        """
        for step in (1000, 1):
            edge = FakeEdge([Rule(None, 1000, 50)])
            for _ in range(1000 // step):
                edge.hold(step)
            self.assertEqual(len(edge.spawned), 20)

    def test_order(self) -> None:
        """
        An order has an identity, the rule's capacity, and a generation that
        is the time by the edge's clock.
        """
        edge = FakeEdge([Rule("x", 1, 1), Rule(None, 10, 7)], now=5.0)
        [instance] = edge.hold()
        self.assertEqual(instance.ticket, "t1")
        self.assertEqual(instance.route, "r")
        self.assertEqual(instance.capacity, 7)
        self.assertEqual(instance.spawn, "1")
        self.assertEqual(instance.state, State.ORDERED)
        self.assertEqual(instance.generation, int((EPOCH + 5.0) * 1e6))
        self.assertTrue(instance.watched)
        self.assertEqual(edge.scaler.instances("r"), [instance])
        self.assertEqual(edge.scaler.instances("s"), [])

    def test_generationsRise(self) -> None:
        """
        Each order is newer than all before, also in the same microsecond.
        """
        edge = FakeEdge()
        generations = [instance.generation for instance in edge.hold(5)]
        self.assertEqual(len(set(generations)), 5)
        self.assertEqual(generations, sorted(generations))

    def test_freeCapacityCounts(self) -> None:
        """
        What instances can still take is not ordered again.
        """
        edge = FakeEdge([Rule(None, 10, 3)])
        [instance] = edge.hold(3)
        edge.start(instance)
        edge.serve(instance, 2)
        self.assertEqual(edge.hold(0), [])
        self.assertEqual(len(edge.hold(1)), 1)

    def test_smallerThanOrdered(self) -> None:
        """
        When a node takes less than was ordered, the rest is ordered anew.
        """
        edge = FakeEdge([Rule(None, 10, 4)])
        [instance] = edge.hold(4)
        edge.dial(instance.ticket, capacity=1)
        self.assertEqual(len(edge.spawned), 2)

    def test_maximum(self) -> None:
        """
        A route never has more instances than the rule's maximum, whatever state
        they are in.
        """
        edge = FakeEdge([Rule(None, 4, 1)])
        first, *_ = edge.hold(100)
        self.assertEqual(len(edge.spawned), 4)
        edge.start(first)
        edge.serve(first)
        edge.perform(edge.scaler.unready(first, edge.now))
        self.assertEqual(len(edge.spawned), 4)
        self.assertEqual(len(edge.hold(route="s")), 1)

    def test_spillover(self) -> None:
        """
        What the first rule has no room for is ordered by the next that covers
        the route.
        """
        edge = FakeEdge([Rule("r", 2, 1), Rule("x", 5, 1), Rule(None, 3, 10)])
        spawned = edge.hold(100)
        self.assertEqual([instance.spawn for instance in spawned], ["0", "0", "2", "2", "2"])

    def test_spilloverBreaker(self) -> None:
        """
        The next rule orders, too, while what the first one orders fails.
        """
        edge = FakeEdge([Rule(None, 2, 1), Rule(None, 2, 1)])
        [first] = edge.hold()
        edge.end(first)
        self.assertEqual([each.spawn for each in edge.spawned], ["0", "1"])

    def test_spilloverOnlyAtMaximum(self) -> None:
        """
        As soon as the first rule has room again, it is the first to order.
        """
        edge = FakeEdge([Rule(None, 1, 1), Rule(None, 5, 1)])
        local, other = edge.hold(2)
        for instance in (local, other):
            edge.start(instance)
            edge.serve(instance)
            edge.perform(edge.scaler.answered(instance, edge.now))
        edge.advance(2.0)
        edge.end(local)
        self.assertEqual([each.spawn for each in edge.hold(2)], ["0", "1"])

    def test_spilloverLeavesFirst(self) -> None:
        """
        However new it is, what a later rule ordered is not the newest as long
        as there is anything of an earlier one; so it does not stay for long.
        """
        edge = FakeEdge([Rule(None, 1, 1), Rule(None, 5, 1)])
        local, other = edge.hold(2)
        edge.start(other)
        self.assertTrue(edge.newest[other])
        edge.start(local)
        self.assertFalse(edge.newest[other])
        self.assertTrue(edge.newest[local])
        edge.waiting.clear()
        edge.end(local)
        self.assertTrue(edge.newest[other])

    def test_adoptedCount(self) -> None:
        """
        Instances that came by themselves count towards the maximum.
        """
        edge = FakeEdge([Rule(None, 2, 1)])
        edge.dial(node_id="n")
        self.assertEqual(len(edge.hold(10)), 1)

    def test_suspended(self) -> None:
        """
        A suspended instance offers nothing.
        """
        edge = FakeEdge()
        [instance] = edge.hold()
        edge.start(instance)
        instance.offer.suspended = True
        self.assertEqual(len(edge.hold(0)), 1)

    def test_uncovered(self) -> None:
        """
        Nothing is ordered, and nothing remembered, for a route that no rule
        covers.
        """
        edge = FakeEdge([Rule("x", 1, 1)])
        self.assertEqual(edge.hold(), [])
        self.assertEqual(edge.failures, [])
        self.assertFalse(edge.scaler.present("r"))
        self.assertEqual(edge.snapshot().routes, {})


class LifeTests(SynchronousTestCase):
    """
    Instances come, serve and go.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge()
        [self.instance] = self.edge.hold()

    def test_ready(self) -> None:
        """
        An instance is ready once, and can be so again after it drained.
        """
        self.assertFalse(self.edge.hasReady("r"))
        self.edge.start(self.instance)
        self.assertEqual(self.instance.state, State.READY)
        self.assertTrue(self.edge.hasReady("r"))
        self.edge.serve(self.instance)
        self.edge.perform(self.edge.scaler.unready(self.instance, self.edge.now))
        self.assertEqual(self.instance.state, State.DRAINING)
        self.edge.perform(self.edge.scaler.unready(self.instance, self.edge.now))
        self.edge.ready(self.instance)
        self.assertEqual(self.instance.state, State.READY)

    def test_unreadyIsReplaced(self) -> None:
        """
        What a draining instance no longer offers is ordered anew.
        """
        self.edge.start(self.instance)
        self.edge.perform(self.edge.scaler.unready(self.instance, self.edge.now))
        self.assertEqual(len(self.edge.spawned), 2)

    def test_withdrawn(self) -> None:
        """
        An instance that is ended from outside is retired, once, and replaced for a waiter.
        """
        self.edge.start(self.instance)
        for _ in range(2):
            self.edge.perform(self.edge.scaler.withdrawn(self.instance.ticket, self.edge.now))
        self.assertEqual(self.edge.retired, [self.instance])
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual(self.edge.scaler.withdrawn("nobody", self.edge.now), [])

    def test_gone(self) -> None:
        """
        Nothing is left of an instance that is gone, and what happens to its
        slots then does not matter.
        """
        self.edge.start(self.instance)
        self.edge.serve(self.instance)
        self.edge.end(self.instance)
        self.edge.lose(self.instance)
        self.edge.ready(self.instance)
        self.edge.end(self.instance)
        self.assertEqual(self.instance.state, State.GONE)
        self.assertFalse(self.edge.scaler.present("r"))

    def test_settled(self) -> None:
        """
        There is no deadline for an order that was ready long before.
        """
        self.edge.start(self.instance)
        scaler = self.edge.scaler
        proven = scaler.nextDeadline()
        assert proven is not None
        scaler.tick(proven)
        self.assertIsNone(scaler.nextDeadline())

    def test_graceWatched(self) -> None:
        """
        An instance without slots counts as free for a grace of 5 s, then only
        towards the maximum, and is back when it dials again.
        """
        self.edge.start(self.instance)
        self.edge.lose(self.instance)
        self.edge.advance(4.9)
        self.assertEqual(len(self.edge.spawned), 1)
        self.edge.advance(0.2)
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual(self.edge.scaler.total(), 2)
        self.edge.connect(self.instance)
        self.assertEqual(self.edge.hold(0), [])
        self.assertEqual(self.edge.hold(2)[1:], [])

    def test_graceUnwatched(self) -> None:
        """
        Without a spawner's handle it is gone after the grace.
        """
        stranger = self.edge.dial(node_id="n")
        self.edge.lose(stranger)
        self.edge.advance(4.9)
        self.assertEqual(stranger.state, State.CONNECTED)
        self.edge.advance(0.2)
        self.assertEqual(stranger.state, State.GONE)

    def test_drainedUnwatched(self) -> None:
        """
        Nor is it waited for when it drained before; that is no failure,
        however young it was.
        """
        self.edge.waiting.clear()
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.edge.start(self.instance)
        self.edge.perform(self.edge.scaler.unready(self.instance, self.edge.now))
        decisions = self.edge.scaler.slotClosed(self.instance, self.edge.now)
        self.assertIn(Buried(self.instance, "drained"), decisions)
        self.assertEqual(self.instance.state, State.GONE)
        self.assertEqual(len(self.edge.hold()), 1)

    def test_routes(self) -> None:
        """
        The scaler knows the routes that have instances.
        """
        self.edge.dial(node_id="n", route="a")
        self.assertEqual(self.edge.routes(), ["a", "r"])
        self.edge.waiting.clear()
        self.edge.end(self.instance)
        self.assertEqual(self.edge.routes(), ["a"])

    def test_redialWithinGrace(self) -> None:
        """
        A node that dials again within the grace has lost nothing.
        """
        stranger = self.edge.dial(node_id="n")
        self.edge.lose(stranger)
        self.edge.advance(4.0)
        self.assertIs(self.edge.dial(node_id="n"), stranger)
        self.edge.advance(10.0)
        self.assertEqual(stranger.state, State.CONNECTED)

    def test_startTimeout(self) -> None:
        """
        An order that is not ready in time is stopped, once, and replaced
        after it failed.
        """
        self.edge.connect(self.instance)
        self.edge.advance(49.9)
        self.assertEqual(self.edge.stopped, [])
        self.edge.advance(100.0)
        [stop] = self.edge.stopped
        self.assertIs(stop.instance, self.instance)
        self.assertEqual(stop.reason, "not ready within 50 s")
        self.assertEqual(self.instance.state, State.DRAINING)
        self.assertEqual(len(self.edge.failures), 1)
        self.edge.end(self.instance)
        self.assertEqual(self.instance.state, State.GONE)

    def test_detached(self) -> None:
        """
        When a command has ended well before its node dialled in, its ticket
        goes on until the start timeout.
        """
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.assertEqual(self.edge.hold(0), [])
        self.edge.advance(49.0)
        self.assertEqual(self.instance.state, State.ORDERED)
        self.edge.advance(2.0)
        self.assertEqual(self.instance.state, State.GONE)
        self.assertEqual(self.edge.stopped, [])
        self.assertEqual(len(self.edge.failures), 1)

    def test_detachedDials(self) -> None:
        """
        When its node dials in, it lives as long as its slots.
        """
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.edge.start(self.instance)
        self.edge.serve(self.instance)
        self.edge.advance(100.0)
        self.assertEqual(self.instance.state, State.READY)
        self.edge.lose(self.instance)
        self.edge.advance(5.0)
        self.assertEqual(self.instance.state, State.GONE)
        self.assertEqual(self.edge.failures, [])

    def test_detachedLater(self) -> None:
        """
        The same when the command ends after its node has dialled in.
        """
        self.edge.start(self.instance)
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.assertEqual(self.instance.state, State.READY)
        self.edge.lose(self.instance)
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.assertEqual(self.instance.state, State.READY)
        self.edge.advance(5.0)
        self.assertEqual(self.instance.state, State.GONE)

    def test_detachedNeverReady(self) -> None:
        """
        A node without a handle that is never ready is retired.
        """
        self.edge.connect(self.instance)
        self.edge.end(self.instance, "exit status 0", detached=True)
        self.edge.advance(50.0)
        self.assertEqual(self.edge.retired, [self.instance])
        self.edge.lose(self.instance)
        self.edge.advance(5.0)
        self.assertEqual(self.instance.state, State.GONE)

    def test_lostAfterRetired(self) -> None:
        """
        A retired instance that lost its slots, but does not end, is stopped.
        """
        edge = FakeEdge(max_total=1)
        [instance] = edge.hold()
        edge.start(instance)
        edge.serve(instance)
        edge.finish(instance)
        edge.hold(route="s")
        self.assertEqual(edge.retired, [instance])
        edge.lose(instance)
        edge.advance(5.0)
        self.assertEqual([stop.instance for stop in edge.stopped], [instance])

    def test_retiredIsReminded(self) -> None:
        """
        A retired instance that lost its slots and stands ready on a new one is
        told again, once.
        """
        edge = FakeEdge(max_total=1)
        [instance] = edge.hold()
        edge.start(instance)
        edge.serve(instance)
        edge.finish(instance)
        edge.hold(route="s")
        edge.ready(instance)
        self.assertEqual(edge.retired, [instance])
        edge.lose(instance)
        edge.connect(instance)
        edge.ready(instance)
        edge.ready(instance)
        self.assertEqual(edge.retired, [instance, instance])
        self.assertEqual(instance.state, State.DRAINING)

    def test_nothingLeft(self) -> None:
        """
        After a while nothing is remembered of routes that have no instances,
        and there is nothing more to do.
        """
        edge = FakeEdge(max_total=10_000)
        for number in range(1000):
            [instance] = edge.hold(route=f"r{number}")
            edge.end(instance)
        self.assertEqual(len(edge.failures), 1000)
        edge.advance(100.0)
        self.assertIsNone(edge.scaler.nextDeadline())
        self.assertEqual(edge.snapshot().routes, {})


class RecountTests(SynchronousTestCase):
    """
    The scaler counts the demand again when the supply has fallen.
    """

    def assertRecounts(
        self, edge: FakeEdge, step: Callable[[], list[Decision]], instance: Instance
    ) -> None:
        """
        Check that a step counts the waiters of an instance's route.
        """
        edge.recounted.clear()
        step()
        self.assertIn(instance.route, edge.recounted)

    def test_recounts(self) -> None:
        """
        It does after UNREADY, the end of the grace, of the start timeout and
        of an instance.
        """
        edge = FakeEdge()
        one, two, three = edge.hold(3)
        edge.start(one)
        edge.start(two)
        self.assertRecounts(edge, lambda: edge.scaler.unready(one, edge.now), one)
        edge.lose(two)
        edge.scaler.tick(1.0)
        self.assertRecounts(edge, lambda: edge.scaler.tick(5.0), two)
        self.assertRecounts(edge, lambda: edge.scaler.tick(50.0), three)
        self.assertRecounts(edge, lambda: edge.scaler.gone(one.ticket, "", False, 50.0), one)


class SnapshotTests(SynchronousTestCase):
    """
    What can be read of a scaler.
    """

    def test_all(self) -> None:
        """
        It has every route, its instances, and what may be ordered for it.
        """
        edge = FakeEdge([Rule("r", 2, 3, "first"), Rule(None, 1, 1, "second")])
        one, two = edge.hold(4)
        edge.end(two, "exit status 1")
        edge.advance(0.25)
        edge.start(one)
        edge.hold(0, "s")
        snapshot = edge.snapshot()
        self.assertEqual((list(snapshot.routes), snapshot.total), (["r"], 2))
        found = snapshot.routes["r"]
        self.assertEqual((found.waiting, found.short, found.rolling), (4, False, False))
        first, overflow = found.instances
        self.assertEqual((first.ticket, first.spawn, first.state), ("t1", "first", State.READY))
        self.assertEqual((first.capacity, first.in_flight, first.free), (3, 0, 1))
        self.assertEqual((first.node_id, first.newest), ("node of t1", True))
        self.assertEqual((first.seconds, first.retired, first.suspended), (0.25, False, False))
        self.assertEqual((overflow.spawn, overflow.state), ("second", State.ORDERED))
        self.assertEqual(
            found.spawns,
            (
                SpawnSnapshot("first", 1, 0, 0.75, "exit status 1"),
                SpawnSnapshot("second", 1, None, 0.0, ""),
            ),
        )

    def test_limits(self) -> None:
        """
        A route that lacks room, and one that rolls, are marked.
        """
        edge = FakeEdge(max_total=1)
        edge.start(edge.hold(route="a")[0])
        edge.serve(edge.scaler.instances("a")[0])
        edge.hold(route="b")
        edge.perform(edge.scaler.roll("a", edge.now))
        snapshot = edge.snapshot()
        self.assertEqual(
            {route: each.short for route, each in snapshot.routes.items()}, {"a": False, "b": True}
        )
        self.assertEqual(snapshot.rolling, {"a"})
        self.assertTrue(snapshot.routes["a"].rolling)
