"""
Tests of L{brxy.ctl.asking.shown} and L{brxy.ctl.asking.top}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from brxy.ctl.asking.shown import (
    certificateRows,
    changeLines,
    duration,
    eventLine,
    instanceRows,
    number,
    routeRows,
    size,
    statusLines,
    table,
)
from brxy.ctl.asking.top import Look, frame, rate, useRows

__all__ = ["FrameTests", "ShownTests", "route", "status"]


def route(host: str, **other: Any) -> dict[str, Any]:
    """
    A route as an edge shows it.
    """
    view = {
        "host": host,
        "state": "asleep",
        "held": 0,
        "in_flight": 0,
        "capacity": 0,
        "instances": {"ordered": 0, "connected": 0, "ready": 0, "draining": 0},
        "rolling": False,
        "exchanges": 0,
        "problems": [],
    }
    return {**view, **other}


def status(**other: Any) -> dict[str, Any]:
    """
    An edge as it shows itself.
    """
    totals = {"matched": 1234, "held": 5, "lost": 0, "rejected": 1}
    view = {
        "version": "0.1.0",
        "edge": "f644832d34af4e1c8f1fb40e03ca06bb",
        "pid": 99,
        "uptime": 100000.0,
        "state": "ready",
        "ports": {"clients": ["http://127.0.0.1:8080"], "nodes": [], "admin": ["unix:/s"]},
        "clients": 312,
        "held": 4,
        "routes": 2,
        "instances": {"ordered": 1, "ready": 3, "draining": 0, "total": 4, "max": 100},
        "totals": totals,
        "problems": [],
    }
    return {**view, **other}


class ShownTests(SynchronousTestCase):
    """
    Tests of the texts.
    """

    def test_duration(self) -> None:
        """
        A time has its two largest units, a short one a tenth of a second.
        """
        for seconds, text in (
            (0.04, "0.0s"),
            (9.94, "9.9s"),
            (10, "10s"),
            (59.9, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3660, "1h 1m"),
            (86400 * 3 + 4 * 3600 + 59, "3d 4h"),
        ):
            self.assertEqual(duration(seconds), text)

    def test_size(self) -> None:
        """
        A number of bytes has about two places.
        """
        for count, text in (
            (0, "0B"),
            (999, "999B"),
            (1024, "1.0K"),
            (34 * 1024**2, "34M"),
            (1000 * 1024**2, "1.0G"),
            (2.5 * 1024**4, "2.5T"),
            (5000 * 1024**4, "5000T"),
        ):
            self.assertEqual(size(count), text)

    def test_number(self) -> None:
        """
        One thing is in the singular.
        """
        self.assertEqual(
            [number(each, "client") for each in (0, 1, 2)], ["0 clients", "1 client", "2 clients"]
        )

    def test_table(self) -> None:
        """
        Columns are aligned, and what is not printable is escaped.
        """
        rows = [["A", "NUMBER"], ["x\x1b", "1"], ["y", "22"]]
        self.assertEqual(
            table(rows, right=(1,)), ["A      NUMBER", "x\\x1b       1", "y          22"]
        )

    def test_status(self) -> None:
        """
        The problems of an edge, its state, and the routes that need attention.
        """
        problems = [
            {"kind": "reload", "route": None, "text": "a.toml:2: no\x1b"},
            {"kind": "route", "route": "bad.example.com", "text": "app: exit status 1"},
        ]
        self.assertEqual(
            list(statusLines(status(problems=problems), [route("shop", state="paused", held=3)])),
            [
                "edge f644832d: ready, up 1d 3h, process 99, brxy 0.1.0",
                "problem: a.toml:2: no\\x1b",
                "problem: bad.example.com: app: exit status 1",
                "clients: http://127.0.0.1:8080",
                "admin:   unix:/s",
                "312 clients, 4 held; 2 routes",
                "4 of 100 instances: 1 ordered, 3 ready",
                "since its start: 1234 requests matched, 5 held, 0 lost, 1 rejected",
                "shop: paused, 3 held",
            ],
        )

    def test_routes(self) -> None:
        """
        A row for each route, with a column for problems if there are any.
        """
        counts = {"ordered": 1, "ready": 2, "draining": 0}
        busy = route("shop", state="held", held=3, in_flight=2, capacity=2, instances=counts)
        rows = routeRows([busy, route("blog", rolling=True)])
        self.assertEqual(rows[1], ["shop", "held", "3", "2", "2", "1 ordered, 2 ready"])
        self.assertEqual(rows[2], ["blog", "asleep", "0", "0", "0", "rolling"])
        rows = routeRows([route("bad", problems=["a", "b"]), route("good")])
        self.assertEqual([each[6] for each in rows], ["PROBLEM", "a; b", ""])

    def test_instances(self) -> None:
        """
        A row for each instance.
        """
        instance = {
            "ticket": "abc",
            "route": "shop",
            "state": "ready",
            "spawn": None,
            "newest": True,
            "retired": False,
            "responsive": False,
            "in_flight": 1,
            "capacity": 8,
            "exchanges": 12,
            "age": 30.0,
            "memory": 34 * 1024 * 1024,
            "cpu": 1.23,
        }
        self.assertEqual(
            instanceRows([instance])[1],
            ["abc", "shop", "ready, newest, unresponsive", "-", "1/8", "11", "30s", "34M", "1.2s"],
        )
        remote = {**instance, "memory": None, "cpu": None}
        self.assertEqual(instanceRows([remote])[1][-2:], ["-", "-"])

    def test_certificates(self) -> None:
        """
        A row for each certificate, with the time that is left.
        """
        certificate = {
            "file": "/etc/certs/shop.pem",
            "names": ["shop.example.com"],
            "default": True,
            "not_after": "2030-01-02T00:00:00+00:00",
        }
        other = {**certificate, "names": [], "default": False}
        self.assertEqual(
            certificateRows([certificate, other], [86400.0, 59.0])[1:],
            [
                ["2030-01-02", "1d", "shop.example.com, all others", "/etc/certs/shop.pem"],
                ["2030-01-02", "59s", "none", "/etc/certs/shop.pem"],
            ],
        )
        self.assertEqual(certificateRows([certificate], [0.0])[1][1], "expired")

    def test_changes(self) -> None:
        """
        A line for each kind of change that a reload has made.
        """
        done = {"errors": [], "added": ["a", "b"], "replaced": {"app": "roll"}, "removed": []}
        self.assertEqual(list(changeLines(done)), ["added: a, b", "replaced: app"])

    def test_events(self) -> None:
        """
        A line for each event, and one for those that were missed.
        """
        event = {"event": "ready", "level": "info", "text": "shop/abc: ready\x1b"}
        self.assertEqual(eventLine(event, "10:00:00"), "10:00:00 info  shop/abc: ready\\x1b")
        self.assertEqual(
            eventLine({"event": "missed", "count": 2}, ""), "2 events came too fast to be shown"
        )


class FrameTests(SynchronousTestCase):
    """
    Tests of the screen of C{brxy top}.
    """

    def look(
        self,
        *routes: dict[str, Any],
        time: float = 10.0,
        matched: int = 0,
        instances: Sequence[dict[str, Any]] = (),
        problems: Sequence[object] = (),
    ) -> Look:
        """
        A look at an edge with these routes.
        """
        totals = {"matched": matched, "held": 0, "lost": 0, "rejected": 0}
        return Look(time, status(totals=totals, problems=problems), routes, instances)

    def test_order(self) -> None:
        """
        Routes with clients held come first, then the busiest, then by name.
        """
        look = self.look(route("c"), route("b"), route("busy", in_flight=2), route("x", held=1))
        lines = frame(look, None, 80, 24, colours=False)
        self.assertEqual([each.split()[0] for each in lines[4:]], ["x", "busy", "b", "c"])

    def test_fits(self) -> None:
        """
        It fits on any terminal.
        """
        look = self.look(*(route(f"route-{each}.example.com") for each in range(100)))
        for columns, lines in ((80, 24), (20, 5), (1, 1), (200, 200)):
            shown = frame(look, None, columns, lines, colours=False)
            self.assertLessEqual(len(shown), lines)
            self.assertLessEqual(max(map(len, shown)), columns)

    def test_rate(self) -> None:
        """
        The rate is that between two looks; of an edge that was started again
        it is not negative.
        """
        before, now = self.look(matched=10), self.look(time=12.0, matched=30)
        self.assertEqual(rate(before, now), 10.0)
        self.assertEqual(rate(now, self.look(time=14.0)), 0.0)
        self.assertEqual(rate(None, now), 0.0)
        self.assertIn("10.0 req/s", frame(now, before, 200, 24)[0])

    def test_use(self) -> None:
        """
        Each route has its requests per second, and what its instances use.
        """
        one = {"ticket": "a", "route": "shop", "memory": 1024**3, "cpu": 1.0}
        two = {"ticket": "b", "route": "shop", "memory": 1024**3, "cpu": None}
        far = {"ticket": "c", "route": "blog", "memory": None, "cpu": None}
        before = self.look(
            *(route("shop", exchanges=10), route("blog", exchanges=9)), instances=[one, two, far]
        )
        now = self.look(
            *(route("shop", exchanges=30), route("blog", exchanges=1)),
            time=12.0,
            instances=[{**one, "cpu": 2.0}, {**two, "cpu": 0.5}, far],
        )
        self.assertEqual(
            useRows(now, before, ["shop", "blog"])[1:],
            [["10.0", "2.0G", "75%"], ["0.0", "-", "-"]],
        )
        self.assertEqual(useRows(now, None, ["shop"])[1:], [["-", "2.0G", "-"]])

    def test_problems(self) -> None:
        """
        The number of problems is in the first line.
        """
        look = self.look(route("x"))
        self.assertNotIn("problem", frame(look, None, 200, 24)[0])
        look = self.look(route("x"), problems=[{}, {}])
        self.assertIn("2 problems", frame(look, None, 200, 24)[0])

    def test_colours(self) -> None:
        """
        States have colours, which end with the line.
        """
        [line] = frame(self.look(route("x", state="failing")), None, 80, 24)[4:]
        self.assertTrue(line.startswith("\x1b[31mx"))
        self.assertTrue(line.endswith("\x1b[0m"))
