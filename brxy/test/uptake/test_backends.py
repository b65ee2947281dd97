"""
Tests of L{brxy.uptake.backends}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.test.support.memory.uptakes import OneBackend, OneDiag
from brxy.uptake.backends import Backends
from brxy.uptake.sockdiag import Seen


class OneTests(SynchronousTestCase):
    """
    Base of tests with one connection.
    """

    def setUp(self) -> None:
        self.diag, self.backend = OneDiag(), OneBackend(10, probing=False)
        self.backends = Backends(self.diag)
        self.backends.add(self.backend)


class SurveyTests(OneTests):
    """
    Tests of L{Backends.survey}.
    """

    def surveyed(self, accepted: bool, unread: int) -> tuple[int, int]:
        """
        @return: how many exchanges the app has begun to read, and how many it has not.
        """
        self.diag.seen = Seen(accepted, unread)
        at_work, waiting = self.backends.survey()
        return at_work, len(waiting)

    def test_read(self) -> None:
        """
        The app is at work on an exchange of which it has read something.
        """
        self.assertEqual(self.surveyed(True, 0), (1, 0))
        self.assertEqual(self.surveyed(True, 8), (1, 0))

    def test_unread(self) -> None:
        """
        It is not at work on one of which it has read nothing, or that it has not accepted.
        """
        self.assertEqual(self.surveyed(True, 10), (0, 1))
        self.assertEqual(self.surveyed(False, 10), (0, 1))

    def test_oneByte(self) -> None:
        """
        It may have read one byte before the rest was sent, and wait to read the rest; unless that
        was all.
        """
        self.assertEqual(self.surveyed(True, 9), (0, 1))
        self.backend.sent = 1
        self.assertEqual(self.surveyed(True, 0), (1, 0))
        self.assertEqual(self.surveyed(True, 1), (0, 1))

    def test_onTheWay(self) -> None:
        """
        Of one whose bytes have not arrived, neither is known.
        """
        self.backend.arrived = False
        self.assertEqual(self.surveyed(True, 0), (0, 0))

    def test_silent(self) -> None:
        """
        It is at work on one that it has accepted, and whose client has sent nothing.
        """
        self.backend.sent = 0
        self.assertEqual(self.surveyed(True, 0), (1, 0))

    def test_none(self) -> None:
        """
        A connection without an exchange, and a probe, are not counted.
        """
        self.backend.probing = True
        self.assertEqual(self.surveyed(True, 0), (0, 0))
        self.backend.probing, self.backend.exchange = False, None
        self.assertEqual(self.surveyed(True, 0), (0, 0))


class BehindTests(OneTests):
    """
    Tests of L{Backends.isBehind}.
    """

    def behind(self, accepted: bool, unread: int) -> bool:
        self.diag.seen = Seen(accepted, unread)
        return self.backends.isBehind()

    def test_unread(self) -> None:
        """
        An app is behind with an exchange that it has not accepted, or of which it has read at most
        the byte that it may have had of a probe.
        """
        self.assertEqual([self.behind(False, 10), self.behind(True, 10)], [True, True])
        self.assertEqual([self.behind(True, 9), self.behind(True, 8)], [True, False])

    def test_silent(self) -> None:
        """
        It is not with one that it has accepted, and whose client has sent nothing.
        """
        self.backend.sent = 0
        self.assertEqual([self.behind(False, 0), self.behind(True, 0)], [True, False])

    def test_dialling(self) -> None:
        """
        It is with one whose connection is being made.
        """
        self.backend.ends = None
        self.assertTrue(self.behind(True, 0))

    def test_gone(self) -> None:
        """
        It is not with one whose connection is not to be seen, or over.
        """
        self.assertFalse(self.backends.isBehind())

    def test_none(self) -> None:
        """
        Nor with a probe, or a connection without an exchange.
        """
        self.backend.probing = True
        self.assertFalse(self.behind(True, 10))
        self.backend.probing, self.backend.exchange = False, None
        self.assertFalse(self.behind(True, 10))
