"""
Tests of L{brxy.edge.admin.history.sampler}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.history.sampler import KEPT, Sampler, Sources
from brxy.edge.exchanges.holds import Holds
from brxy.edge.exchanges.snapshot import DispatchSnapshot
from brxy.edge.records.record import Record
from brxy.edge.records.records import Records
from brxy.scaler.instance import Instance, State

__all__ = ["SamplerTests"]

_NOTHING = DispatchSnapshot(0, 0, {}, 0.0, 0, 0, 0, 0, 0, 0, 0, 0, {})


class _Exchanges:
    """
    What the edge has done with exchanges.
    """

    def __init__(self, clock: Clock) -> None:
        self.holds = Holds(clock.seconds, lambda route: True)
        self.records = Records(clock, lambda route: True)
        self.done = _NOTHING

    def snapshot(self) -> DispatchSnapshot:
        return self.done


class SamplerTests(SynchronousTestCase):
    """
    Tests of L{Sampler}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.exchanges = _Exchanges(self.clock)
        self.exchanges.done = evolve(_NOTHING, total_matched=1000, total_queued=500)
        self.living: list[Instance] = []
        sources = Sources(self.exchanges, lambda: 7, self.instances)
        self.sampler = Sampler(self.clock, sources, lambda: 1000.0 + self.clock.seconds())
        self.sampler.start()
        self.addCleanup(self.sampler.stop)

    def instances(self) -> Iterator[Instance]:
        return iter(self.living)

    def point(self, seconds: float = 1.0) -> Any:
        """
        @return: the point that comes after some time.
        """
        self.clock.advance(seconds)
        return json.loads(self.sampler.after(0)[-1].text)

    def test_counted(self) -> None:
        """
        A point has what was counted since the last one, for each second.
        """
        before = self.exchanges.done
        self.exchanges.done = evolve(
            before,
            total_matched=before.total_matched + 10,
            total_queued=before.total_queued + 2,
            total_cold=4,
            total_lost=1,
            total_rejected={"a": 1, "b": 2},
            held={"x": 2, "y": 1},
            oldest_hold=1.23456,
        )
        for state, retired in ((State.READY, False), (State.READY, False), (State.ORDERED, False)):
            found = Instance("t", "r", 3, 1, state=state, retired=retired)
            found.offer.in_flight = 1
            self.living.append(found)
        point = self.point(2.0)
        self.assertEqual(
            point,
            {
                "time": 1002.0,
                "seconds": 2.0,
                "late": 1.0,
                "requests": {"warm": 2.0, "queued": 1.0, "cold": 2.0},
                "errors": 2.0,
                "clients": 7,
                "held": 3,
                "most_held": 0,
                "most_held_routes": {},
                "oldest_hold": 1.235,
                "instances": {"ordered": 1, "connected": 0, "ready": 2, "draining": 0},
                "in_flight": 3,
                "capacity": 6,
                "hold": {"p50": None, "p99": None},
                "app": None,
            },
        )
        self.assertEqual(self.point()["requests"], {"warm": 0.0, "queued": 0.0, "cold": 0.0})

    def test_holds(self) -> None:
        """
        The holds of one second are in its point, and in no other.
        """
        observe = self.exchanges.holds.observer
        assert observe is not None
        for _ in range(99):
            observe(0.1)
        observe(3.0)
        hold = self.point()["hold"]
        self.assertApproximates(hold["p50"], 0.1, 0.005)
        self.assertApproximates(hold["p99"], 0.1, 0.005)
        self.assertEqual(self.point()["hold"], {"p50": None, "p99": None})

    def record(self, app: float, status: int) -> None:
        """
        An exchange has ended.
        """
        self.exchanges.records.ended(
            Record("r", None, "", "http", 0.0, status=status, matched=0.0, first_byte=app)
        )

    def test_apps(self) -> None:
        """
        Exchanges are recorded only while a client follows; then what apps take is known.
        """
        records = self.exchanges.records
        self.assertFalse(records.active)
        points: list[int] = []
        follower = lambda: points.append(1)  # noqa: E731
        self.sampler.follow(follower)
        self.assertTrue(records.active)
        self.record(0.5, 200)
        # Only a part of that second was recorded.
        self.assertEqual(self.point()["app"], None)
        self.record(0.02, 200)
        self.record(0.02, 503)
        app = self.point()["app"]
        self.assertApproximates(app["p50"], 0.02, 0.001)
        self.assertEqual(app["errors"], 1)
        self.sampler.unfollow(follower)
        self.sampler.unfollow(follower)
        self.assertFalse(records.active)
        self.point()
        self.assertEqual(self.point()["app"], None)
        self.assertEqual(len(points), 2)

    def test_kept(self) -> None:
        """
        Points are kept for ten minutes, and can be read from a time on.
        """
        for _ in range(KEPT + 5):
            self.clock.advance(1)
        points = self.sampler.after(0)
        self.assertEqual((len(points), points[0].time), (KEPT, 1006.0))
        self.assertEqual([each.time for each in self.sampler.after(1603.0)], [1604.0, 1605.0])
        self.assertEqual(self.sampler.last, 1605.0)
        self.sampler.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
