"""
Tests of L{brxy.edge.metrics.requests}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.exchanges.refusals import APP_NOT_STARTED, HELD_TOO_LONG, LEAVING
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.requests import Requests
from brxy.edge.metrics.series import Distribution, Family, Labels
from brxy.edge.records.record import CLIENT_CLOSED, CLIENT_GONE, FULL, LOST, REFUSED, Record


class RequestsTests(SynchronousTestCase):
    """
    Tests of L{Requests}.
    """

    def setUp(self) -> None:
        self.requests = self.make()

    def make(self, codes: bool = False) -> Requests:
        labels = RouteLabels(10)
        labels.use(["r"], [])
        return Requests(labels, codes)

    def end(self, status: int = 200, route: str = "r", **values: Any) -> None:
        values = {"matched": 1.0, "ended": 1.5, "offers": 1, **values}
        self.requests([Record(route, None, "", "http", 1.0, status=status, **values)])

    def values(self, name: str) -> dict[Labels, float]:
        return {
            labels: sum(value.counts) if isinstance(value, Distribution) else value
            for labels, value in self.read()[name].items()
        }

    def read(self) -> dict[str, Mapping[Labels, float | Distribution]]:
        found: list[Family] = []
        for _ in self.requests.read(found):
            pass
        return {metric.name: series for metric, series in found}

    def test_starts(self) -> None:
        """
        Requests are counted by the class of their status, and by how they began.
        """
        for status, held_at, cold in (
            (200, None, False),
            (204, None, False),
            (500, 1.0, False),
            (CLIENT_CLOSED, 1.0, True),
            (0, None, False),
        ):
            self.end(status, held_at=held_at, cold=cold)
        self.assertEqual(
            self.values("brxy_requests_total"),
            {
                ("r", "2xx", "warm"): 2,
                ("r", "5xx", "queued"): 1,
                ("r", "4xx", "cold"): 1,
                ("r", "none", "warm"): 1,
            },
        )
        self.assertEqual(
            self.values("brxy_request_duration_seconds"),
            {("r", "warm"): 3, ("r", "queued"): 1, ("r", "cold"): 1},
        )

    def test_codes(self) -> None:
        """
        They may be counted by their exact status.
        """
        self.requests = self.make(codes=True)
        self.end(204)
        self.end(404, route="made-up")
        self.assertEqual(
            self.values("brxy_requests_total"),
            {("r", "204", "warm"): 1, ("_other", "404", "warm"): 1},
        )

    def test_times(self) -> None:
        """
        A request takes from its arrival to its end, and is held until an instance gets it.
        """
        self.end(held_at=1.25, matched=3.25, ended=5.0)
        found = self.read()
        totals = [
            value.total
            for name in ("brxy_request_duration_seconds", "brxy_hold_seconds")
            for value in found[name].values()
            if isinstance(value, Distribution)
        ]
        self.assertEqual(totals, [4.0, 2.0])

    def test_outcomes(self) -> None:
        """
        Requests that were held are counted by what became of them.
        """
        self.end()
        self.end(held_at=1.0)
        for error in (HELD_TOO_LONG.text, APP_NOT_STARTED.text, LEAVING.text, CLIENT_GONE):
            self.end(503, held_at=1.0, matched=None, error=error)
        outcomes = ("served", "timeout", "failed", "refused", "client_gone")
        self.assertEqual(
            self.values("brxy_hold_seconds"), {("r", outcome): 1 for outcome in outcomes}
        )

    def test_offers(self) -> None:
        """
        Each time that a request was given to an instance is counted by what became of it, and
        each time after the first one by what had become of the one before.
        """
        self.end(200)
        self.end(404, offers=0)
        self.end(200, offers=4, fates=(REFUSED, FULL, LOST))
        self.end(503, offers=2, fates=(LOST, LOST))
        self.assertEqual(
            self.values("brxy_offers_total"),
            {
                ("r", "accepted"): 2,
                ("r", "refused"): 2,
                ("r", "lost"): 3,
            },
        )
        self.assertEqual(
            self.values("brxy_retries_total"),
            {("r", "refused"): 1, ("r", "full"): 1, ("r", "lost"): 2},
        )
