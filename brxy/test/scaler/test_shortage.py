"""
Tests of L{brxy.scaler.shortage}: what is done at the global maximum.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.shortage import KnownRoutes
from brxy.test.support.memory.fleets import FakeEdge


class KnownRoutesTests(SynchronousTestCase):
    """
    Tests of L{KnownRoutes}.
    """

    def test_who(self) -> None:
        """
        Routes that were named and routes that have served are known.
        """
        known_routes = KnownRoutes(["named"])
        known_routes.served("old")
        self.assertEqual([each in known_routes for each in ("named", "old", "new")], [1, 1, 0])
        self.assertTrue(known_routes.isNamed("named"))
        self.assertFalse(known_routes.isNamed("old"))

    def test_memory(self) -> None:
        """
        Of many routes those that have served last are known.
        """
        known_routes = KnownRoutes(["named"])
        for number in range(10 * KnownRoutes.MOST):
            known_routes.served(f"r{number}")
            known_routes.served("often")
        self.assertIn("named", known_routes)
        self.assertIn("often", known_routes)
        self.assertIn(f"r{10 * KnownRoutes.MOST - 1}", known_routes)
        self.assertNotIn("r0", known_routes)
        self.assertLessEqual(len(known_routes), KnownRoutes.MOST)


class PushingTests(SynchronousTestCase):
    """
    Tests of which instances are retired at the global maximum, and for which routes.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge(max_total=2)

    def wake(self, route: str, waker: str) -> None:
        """
        Have a client come to wait.
        """
        self.edge.waiting[route] = 1
        self.edge.perform(self.edge.scaler.demand(route, self.edge.now, waker))

    def idle(self, route: str, waker: str) -> None:
        """
        Have an instance that has served and is idle.
        """
        self.wake(route, waker)
        instance = self.edge.spawned[-1]
        self.edge.start(instance)
        self.edge.serve(instance)
        self.edge.waiting[route] = 0
        instance.offer.in_flight = 0
        instance.offer.ready[object()] = None
        self.edge.scaler.answered(instance, self.edge.now)

    def retired(self) -> list[str]:
        """
        The routes of what was retired.
        """
        return [each.route for each in self.edge.retired]

    def test_unknown(self) -> None:
        """
        For an unknown route only an instance goes that the same client has woken, and none
        that another client has.
        """
        self.idle("real", "someone")
        self.idle("scanned", "scanner")
        self.wake("random", "scanner")
        self.wake("random2", "scanner")
        self.assertEqual(self.retired(), ["scanned"])

    def test_beforeOthers(self) -> None:
        """
        A route that has served before gets room, and what leaves for it is not for unknown
        routes that were in line before.
        """
        self.idle("old", "a")
        self.edge.end(self.edge.spawned[0], "exit status 0")
        self.idle("real", "b")
        self.idle("real2", "b")
        self.wake("random", "scanner")
        self.assertEqual(self.retired(), [])
        self.wake("old", "c")
        self.assertEqual(self.retired(), ["real"])
        self.wake("old", "c")
        self.assertEqual(self.retired(), ["real"])
        self.edge.end(self.edge.retired[0], "exit status 0")
        self.assertEqual(self.edge.spawned[-1].route, "old")

    def test_freeRoom(self) -> None:
        """
        Room that comes by itself is for unknown routes, too.
        """
        self.idle("a", "b")
        self.idle("c", "b")
        self.wake("random", "scanner")
        self.edge.end(self.edge.spawned[0], "exit status 0")
        self.assertEqual(self.edge.spawned[-1].route, "random")
        # The client that woke it is not forgotten meanwhile.
        self.assertEqual(self.edge.snapshot().routes["random"].waker, "scanner")
