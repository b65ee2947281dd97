"""
Tests of L{brxy.spawners.api.outage}.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogEvent, Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.api.errors import DaemonError
from brxy.spawners.api.outage import Outage


class OutageTests(SynchronousTestCase):
    """
    Tests of L{Outage}.
    """

    def test_outage(self) -> None:
        """
        The first failure of each outage is logged, and pauses grow with the failures in a
        row.
        """
        logged: list[LogEvent] = []
        observe: Any = logged.append
        log = Logger(namespace="test", observer=observe)
        outage = Outage(log, "no way: {error}", lambda failures: 2.0**failures)
        self.assertFalse(outage.ended())
        self.assertEqual(
            [outage.failed(DaemonError("a")), outage.failed(DaemonError("b"))], [1, 2]
        )
        self.assertTrue(outage.ended())
        self.assertFalse(outage.ended())
        self.assertEqual(outage.failed(DaemonError("c")), 1)
        self.assertEqual([formatEvent(each) for each in logged], ["no way: a", "no way: c"])
