"""
Tests for L{brxy.scaler.lifecycle}, as L{brxy.scaler.scaler.Scaler} uses it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.instance import State
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge


class NewestTests(SynchronousTestCase):
    """
    Exactly one instance of a route is the newest.
    """

    def test_changes(self) -> None:
        """
        The newest that has connected and does not drain learns that it is, and the one
        before that it is no longer.
        """
        edge = FakeEdge([Rule(None, 3, 1)])
        one, two, three = edge.hold(3)
        self.assertEqual(edge.newest, {})
        edge.start(two)
        self.assertEqual(edge.newest, {two: True})
        edge.start(one)
        self.assertEqual(edge.newest, {two: True})
        edge.start(three)
        self.assertEqual(edge.newest, {two: False, three: True})
        edge.perform(edge.scaler.unready(three, edge.now))
        self.assertEqual(edge.newest, {two: True, three: False})
        edge.waiting.clear()
        edge.end(two)
        self.assertEqual(edge.newest[one], True)
        self.assertTrue(one.newest)
        self.assertFalse(two.newest)

    def test_routesApart(self) -> None:
        """
        Each route has its own.
        """
        edge = FakeEdge()
        one, two = edge.hold(route="r") + edge.hold(route="s")
        edge.start(one)
        edge.start(two)
        self.assertEqual(edge.newest, {one: True, two: True})


class OutcomeTests(SynchronousTestCase):
    """
    Which ends of an instance are failures.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([Rule(None, 1, 1)])
        [self.instance] = self.edge.hold()
        self.edge.waiting.clear()

    def assertFailed(self, failed: bool) -> None:
        """
        Check that the instance, now gone, was a failure: nothing is ordered.
        """
        self.assertEqual(self.instance.state, State.GONE)
        self.assertEqual(self.edge.hold() == [], failed)
        self.assertEqual(len(self.edge.failures), int(failed))

    def test_beforeHello(self) -> None:
        """
        To end before anything else is one.
        """
        self.edge.end(self.instance)
        self.assertFailed(True)

    def test_notEvenStarted(self) -> None:
        """
        So is not to be started at all.
        """
        self.edge.perform(self.edge.scaler.gone(self.instance.ticket, "no such file", False, 0.0))
        self.assertFailed(True)
        self.assertEqual(self.edge.failures[0].reason, "no such file")

    def test_beforeReady(self) -> None:
        """
        To end before it is ready is one.
        """
        self.edge.connect(self.instance)
        self.edge.end(self.instance)
        self.assertFailed(True)

    def test_justReady(self) -> None:
        """
        To end within a second of being ready is one.
        """
        self.edge.start(self.instance)
        self.edge.advance(0.9)
        self.edge.end(self.instance)
        self.assertFailed(True)

    def test_answered(self) -> None:
        """
        It is none once it has served an exchange.
        """
        self.edge.start(self.instance)
        self.edge.perform(self.edge.scaler.answered(self.instance, 0.0))
        self.edge.end(self.instance)
        self.assertTrue(self.instance.answered)
        self.assertFailed(False)

    def test_alive(self) -> None:
        """
        It is none after a second.
        """
        self.edge.start(self.instance)
        self.edge.advance(1.0)
        self.edge.end(self.instance)
        self.assertFailed(False)

    def test_lostSoon(self) -> None:
        """
        An instance that lost its slots within a second, and does not come back, has died
        then, though that is known only later.
        """
        self.edge.end(self.instance, detached=True)
        self.edge.start(self.instance)
        self.edge.advance(0.5)
        self.edge.lose(self.instance)
        self.edge.advance(5.0)
        self.assertFailed(True)

    def test_lostAndBack(self) -> None:
        """
        An instance that comes back is alive.
        """
        self.edge.start(self.instance)
        self.edge.advance(0.5)
        self.edge.lose(self.instance)
        self.edge.advance(1.0)
        self.edge.connect(self.instance)
        self.edge.ready(self.instance)
        self.edge.end(self.instance)
        self.assertFailed(False)

    def test_stranger(self) -> None:
        """
        An instance that came by itself was not ordered, so nothing failed.
        """
        stranger = self.edge.dial(node_id="n", route="s")
        self.edge.lose(stranger)
        self.edge.advance(5.0)
        self.assertEqual(len(self.edge.hold(route="s")), 1)
