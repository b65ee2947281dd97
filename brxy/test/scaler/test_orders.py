"""
Tests for L{brxy.scaler.orders}: what keeps instances from being ordered.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge


class DoomedTests(SynchronousTestCase):
    """
    When nothing starts, no waiter is left.
    """

    def test_lastOrderFails(self) -> None:
        """
        When the last order of a route fails, all its waiters are answered, with the time
        after which they may try again.
        """
        edge = FakeEdge()
        one, two = edge.hold(2)
        edge.end(one, "exit status 1: no such module")
        self.assertEqual(edge.failures, [])
        edge.end(two, "exit status 2")
        [failure] = edge.failures
        self.assertEqual(failure.route, "r")
        self.assertEqual(failure.reason, "exit status 2")
        self.assertAlmostEqual(failure.retry_after, 1.0)

    def test_whileOpen(self) -> None:
        """
        A client that comes while the breaker is open is answered at once, with the time
        that remains; the first after that is held, and is the canary's.
        """
        edge = FakeEdge()
        [instance] = edge.hold()
        edge.end(instance)
        edge.advance(0.25)
        self.assertEqual(edge.hold(), [])
        self.assertAlmostEqual(edge.failures[-1].retry_after, 0.75)
        edge.advance(0.75)
        [canary] = edge.hold(5)
        self.assertEqual(edge.hold(5), [])
        self.assertEqual(len(edge.failures), 2)
        edge.end(canary)
        self.assertEqual(edge.failures[-1].retry_after, 2.0)

    def test_canarySucceeds(self) -> None:
        """
        When the canary works, what was missing is ordered.
        """
        edge = FakeEdge()
        [instance] = edge.hold()
        edge.end(instance)
        edge.advance(1.0)
        [canary] = edge.hold(3)
        edge.start(canary)
        edge.serve(canary)
        edge.perform(edge.scaler.answered(canary, edge.now))
        self.assertEqual(len(edge.spawned), 4)

    def test_canaryLives(self) -> None:
        """
        The same when it lives for a second.
        """
        edge = FakeEdge()
        [instance] = edge.hold()
        edge.end(instance)
        edge.advance(1.0)
        [canary] = edge.hold(3)
        edge.start(canary)
        edge.serve(canary)
        edge.advance(1.0)
        self.assertEqual(len(edge.spawned), 4)

    def test_somethingAlive(self) -> None:
        """
        While an instance serves, the waiters go on waiting for it.
        """
        edge = FakeEdge()
        one, two = edge.hold(2)
        edge.start(one)
        edge.serve(one)
        edge.end(two)
        edge.hold(2)
        self.assertEqual(edge.failures, [])
        self.assertEqual(len(edge.spawned), 2)

    def test_retryForThoseWhoWait(self) -> None:
        """
        When the breaker's time is over, and they still wait, the canary is
        ordered for them.
        """
        edge = FakeEdge()
        one, two = edge.hold(2)
        edge.start(one)
        edge.serve(one)
        edge.advance(20.0)
        edge.end(two)
        for _ in range(10):
            edge.hold()
        edge.advance(0.9)
        self.assertEqual(len(edge.spawned), 2)
        edge.advance(0.1)
        self.assertEqual(len(edge.spawned), 3)
        edge.end(edge.spawned[2])
        edge.waiting.clear()
        edge.advance(10.0)
        self.assertEqual(len(edge.spawned), 3)

    def test_drainingIsNotAlive(self) -> None:
        """
        An instance that drains serves no waiter.
        """
        edge = FakeEdge()
        one, two = edge.hold(2)
        edge.start(one)
        edge.serve(one)
        edge.end(two)
        edge.perform(edge.scaler.unready(one, edge.now))
        self.assertEqual(len(edge.failures), 1)

    def test_killStorm(self) -> None:
        """
        A healthy app whose instances are killed ten times a second, often before
        they have shown that they work, is started again and again.
        """
        edge = FakeEdge([Rule(None, 10, 1)])
        edge.hold(10)
        for step in range(500):
            victim = edge.scaler.instances("r")[0]
            if step % 3 and victim.state is State.ORDERED:
                edge.start(victim)
                edge.serve(victim)
                edge.perform(edge.scaler.answered(victim, edge.now))
            edge.end(victim, "killed by SIGKILL")
            edge.waiting["r"] = 10
            edge.demand("r")
            self.assertTrue(edge.scaler.present("r"))
            edge.advance(0.1)
        self.assertEqual(edge.failures, [])

    def test_spillover(self) -> None:
        """
        When the first spawner's breaker is open, the next is used; only when
        all are open there is nothing to wait for.
        """
        edge = FakeEdge([Rule(None, 10, 1), Rule(None, 10, 1)])
        [one] = edge.hold()
        edge.end(one, "first")
        two = edge.spawned[-1]
        self.assertEqual(two.spawn, "1")
        edge.advance(0.5)
        edge.end(two, "second")
        [failure] = edge.failures
        self.assertEqual((failure.reason, failure.retry_after), ("first", 0.5))

    def test_routesApart(self) -> None:
        """
        What fails for one route is tried for another.
        """
        edge = FakeEdge()
        edge.end(edge.hold()[0])
        self.assertEqual(len(edge.hold(route="s")), 1)

    def test_manyFail(self) -> None:
        """
        However many come while the breaker is open, little is remembered.
        """
        edge = FakeEdge()
        edge.end(edge.hold()[0])
        for _ in range(1000):
            edge.hold()
        self.assertEqual(len(edge.failures), 1001)
        self.assertLess(edge.snapshot().due, 10)

    def test_manyOrdersFailAtOnce(self) -> None:
        """
        The failures of orders that were made together open the breaker once.
        """
        edge = FakeEdge()
        for instance in edge.hold(10):
            edge.end(instance)
        self.assertEqual([failure.retry_after for failure in edge.failures], [1.0])

    def test_retiredCanary(self) -> None:
        """
        A canary that is retired before it showed that it works does not block
        the next.
        """
        edge = FakeEdge(max_total=1)
        edge.end(edge.hold()[0])
        edge.advance(1.0)
        [canary] = edge.hold()
        edge.start(canary)
        edge.waiting.clear()
        edge.hold(route="s")
        self.assertEqual(edge.retired, [canary])
        edge.waiting.clear()
        edge.end(canary)
        edge.demand("s")
        self.assertEqual(len(edge.hold()), 1)


class RoomTests(SynchronousTestCase):
    """
    All routes together have a maximum.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge(max_total=3)

    def test_total(self) -> None:
        """
        It is never exceeded, and no busy instance is retired.
        """
        self.edge.hold(2, "a")
        self.edge.hold(5, "b")
        self.assertEqual(self.edge.scaler.total(), 3)
        self.assertEqual(self.edge.retired, [])
        self.assertEqual(self.edge.failures, [])

    def test_idleMakesRoom(self) -> None:
        """
        As many idle instances of other routes are retired as are missing, and
        their place is taken when they are gone.
        """
        idle = self.startIdle("a", 3)
        self.assertEqual(self.edge.hold(2, "b"), [])
        self.assertEqual(self.edge.retired, idle[:2])
        self.edge.hold(0, "b")
        self.assertEqual(self.edge.retired, idle[:2])
        self.edge.end(idle[0], "exit status 0")
        self.assertEqual([each.route for each in self.edge.spawned[3:]], ["b"])
        self.edge.end(idle[1], "exit status 0")
        self.assertEqual([each.route for each in self.edge.spawned[3:]], ["b", "b"])
        self.assertEqual(self.edge.retired, idle[:2])

    def test_idleMakesRoomAgain(self) -> None:
        """
        An instance that has made room counts no longer: the next is retired as well.
        """
        idle = self.startIdle("a", 3)
        for number in range(3):
            self.edge.hold(1, "b")
            self.assertEqual(self.edge.retired, idle[: number + 1])
            self.edge.end(idle[number], "exit status 0")
            self.edge.start(self.edge.spawned[-1])
            self.edge.serve(self.edge.spawned[-1])

    def test_newestStaysLonger(self) -> None:
        """
        Older instances go before the newest of their route.
        """
        newest = self.startIdle("a", 1)
        self.edge.advance(1.0)
        both = self.startIdle("b", 2)
        self.edge.hold(1, "c")
        self.edge.hold(1, "c")
        self.assertEqual(self.edge.retired, [both[0], newest[0]])

    def test_overflowMakesRoom(self) -> None:
        """
        Those of a later rule go before older ones of the first.
        """
        edge = FakeEdge([Rule("a", 2, 1), Rule(None, 5, 1)], max_total=3)
        first, newest, overflow = edge.hold(3, "a")
        for instance in (first, newest, overflow):
            edge.start(instance)
        del edge.waiting["a"]
        edge.hold(1, "b")
        self.assertEqual(edge.retired, [overflow])
        edge.hold(1, "c")
        self.assertEqual(edge.retired, [overflow, first])

    def test_idleLater(self) -> None:
        """
        An instance that falls idle while another route lacks room is retired
        then.
        """
        busy = self.edge.hold(3, "a")
        for instance in busy:
            self.edge.start(instance)
            self.edge.serve(instance)
        self.assertFalse(self.edge.scaler.short)
        self.edge.hold(1, "b")
        self.assertTrue(self.edge.scaler.short)
        self.assertEqual(self.edge.retired, [])
        self.edge.finish(busy[1])
        self.assertEqual(self.edge.retired, [busy[1]])
        self.edge.finish(busy[0])
        self.assertEqual(self.edge.retired, [busy[1]])

    def test_inTurn(self) -> None:
        """
        Routes that lack room get it in turn.
        """
        busy = self.edge.hold(3, "a")
        self.edge.hold(2, "b")
        self.edge.hold(1, "c")
        for instance in busy:
            self.edge.start(instance)
            self.edge.serve(instance)
            self.edge.end(instance)
        self.assertEqual([each.route for each in self.edge.spawned[3:]], ["b", "c", "b"])

    def test_noLongerNeeded(self) -> None:
        """
        A route whose waiters have left does not stand in the way of the next.
        """
        busy = self.edge.hold(3, "a")
        self.edge.hold(1, "b")
        self.edge.hold(1, "c")
        del self.edge.waiting["b"]
        self.edge.waiting["a"] = 0
        self.edge.start(busy[0])
        self.edge.end(busy[0])
        self.assertEqual([each.route for each in self.edge.spawned[3:]], ["c"])

    def test_othersCanHaveWhatIsMade(self) -> None:
        """
        Nothing is remembered of a route that lacked room and has given up.
        """
        self.edge.hold(3, "a")
        for number in range(100):
            self.edge.hold(1, f"b{number}")
            del self.edge.waiting[f"b{number}"]
            self.edge.demand(f"b{number}")
        self.assertFalse(self.edge.scaler.short)
        self.assertEqual(list(self.edge.snapshot().routes), ["a"])

    def startIdle(self, route: str, number: int) -> list[Instance]:
        """
        Have idle instances of a route.
        """
        instances = self.edge.hold(number, route)
        for instance in instances:
            self.edge.start(instance)
        del self.edge.waiting[route]
        return instances
