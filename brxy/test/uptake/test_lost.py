"""
Tests of L{brxy.uptake.uptake.Uptake} with a probe whose connection can't be found.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.uptake.backends import Ends
from brxy.uptake.sockdiag import Queue, Seen
from brxy.uptake.uptake import UNSEEN_LIMIT, Uptake


class _Diag:
    """
    Shows one connection, or none.

    @ivar seen: what is seen of it; L{None}: it is not there.
    """

    def __init__(self) -> None:
        self.seen: Seen | None = Seen(False, 1)

    def look(self, app: tuple[str, int], ours: tuple[str, int]) -> Seen | None:
        return self.seen

    def knows(self, app: tuple[str, int], ours: tuple[str, int]) -> bool:
        return self.seen is not None

    def queue(self, app: tuple[str, int]) -> Queue | None:
        return None

    def close(self) -> None:
        pass


class _Backend:
    """
    A connection that has one byte of an exchange.
    """

    exchange: object | None = "exchange"
    ends: Ends | None = (("127.0.0.1", 8000), ("127.0.0.1", 40000))
    sent = 1
    probing = True

    def isSent(self) -> bool:
        return True

    def takenUp(self) -> None:
        pass

    def takeBack(self) -> None:
        pass

    def giveKept(self) -> object:
        return None

    def closeIdle(self) -> None:
        pass


class LostTests(SynchronousTestCase):
    """
    Tests of a probe on a connection that is not found.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.diag, self.backend = _Diag(), _Backend()
        self.reasons: list[str] = []
        self.uptake = Uptake(
            self.clock, 10, self.diag, changed=lambda: None, unknown=self.reasons.append
        )
        self.addCleanup(self.uptake.stop)
        self.assertTrue(self.uptake.probe(self.backend))
        self.uptake.sent()

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
