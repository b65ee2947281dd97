"""
Tests of L{brxy.uptake.uptake.Uptake} with a probe whose connection can't be found.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.memory.uptakes import OneBackend, OneDiag
from brxy.uptake.sockdiag import Seen
from brxy.uptake.uptake import UNSEEN_LIMIT, Uptake


class LostTests(SynchronousTestCase):
    """
    Tests of a probe on a connection that is not found.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.diag, self.backend = OneDiag(Seen(False, 1)), OneBackend(1, probing=True)
        self.reasons: list[str] = []
        self.uptake = Uptake(
            self.clock, 10, self.diag, changed=lambda: None, unknown=self.reasons.append
        )
        self.addCleanup(self.uptake.stop)
        self.assertTrue(self.uptake.probe(self.backend))
        self.uptake.ready()

    def untilLimit(self) -> None:
        """
        Let the time pass in which a connection may be unknown.
        """
        until = self.clock.seconds() + UNSEEN_LIMIT
        while self.clock.seconds() <= until:
            self.clock.advance(0.001)

    def test_unseen(self) -> None:
        """
        If it stays unknown, the app can't be seen.
        """
        self.diag.seen = None
        self.untilLimit()
        self.untilLimit()
        self.assertEqual(self.reasons, ["its connections can't be seen"])

    def test_reset(self) -> None:
        """
        If it was reset a moment ago, and that has not been reported to its slot yet, nothing
        is given up.
        """
        self.untilLimit()
        self.untilLimit()
        self.diag.seen = None
        timer = min(self.clock.getDelayedCalls(), key=lambda call: call.getTime())
        self.clock.advance(timer.getTime() - self.clock.seconds())
        self.uptake.closed(fresh=True)
        self.clock.advance(10)
        self.assertEqual(self.reasons, [])
