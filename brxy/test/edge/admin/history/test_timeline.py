"""
Tests of L{brxy.edge.admin.history.timeline} and L{brxy.edge.admin.history.life}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.history import timeline
from brxy.edge.admin.history.timeline import Timeline
from brxy.edge.events import (
    DialledIn,
    Drains,
    GivenUp,
    Gone,
    Holding,
    Ordered,
    Ready,
    Retires,
    StartFailed,
)
from brxy.scaler.instance import Change, Instance

__all__ = ["TimelineTests"]


class TimelineTests(SynchronousTestCase):
    """
    Tests of L{Timeline}.

    @ivar instances: by ticket.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(5)
        self.instances: dict[str, Instance] = {}
        self.timeline = Timeline(
            self.clock.seconds, self.instances.get, lambda ticket: f"{ticket} says", lambda: 1000.0
        )

    def order(self, ticket: str, route: str = "shop", spawn: str | None = "app") -> Instance:
        """
        The scaler has an instance, and a spawner gets its order after 0.25 s.
        """
        found = self.instances[ticket] = Instance(ticket, route, 1, 1, spawn)
        found.ordered_at = self.clock.seconds()
        self.clock.advance(0.25)
        if spawn is not None:
            self.timeline(Ordered(route, ticket))
        return found

    def gone(self, ticket: str, reason: str, route: str = "shop") -> None:
        """
        An instance is gone.
        """
        self.instances.pop(ticket).change(Change.BURIED)
        self.timeline(Gone(route, ticket, reason))

    def view(self, ticket: str) -> dict[str, Any]:
        """
        @return: an instance of the timeline.
        """
        [found] = [each for each in self.timeline.lives() if each.ticket == ticket]
        return found.view()

    def becomeReady(self, ticket: str) -> None:
        """
        An instance is reached after one second, and ready half a second later.
        """
        self.clock.advance(1)
        self.instances[ticket].change(Change.REACHED)
        self.timeline(DialledIn("shop", ticket, "node"))
        self.clock.advance(0.5)
        self.instances[ticket].change(Change.READY)
        self.timeline(Ready("shop", ticket, 1.75))

    def test_served(self) -> None:
        """
        An instance that served has the times of each step, and its phases.
        """
        self.order("a")
        self.assertEqual(self.view("a")["outcome"], "starting")
        self.becomeReady("a")
        self.clock.advance(10)
        self.timeline(Drains("shop", "a"))
        self.instances["a"].change(Change.UNREADY)
        self.clock.advance(1)
        self.gone("a", "ended")
        self.assertEqual(
            self.view("a"),
            {
                "ticket": "a",
                "route": "shop",
                "spawn": "app",
                "state": "gone",
                # Its first event came at 5.25 s, which is 1000 s since 1970.
                "ordered_at": 999.75,
                "connected_at": 1001.0,
                "ready_at": 1001.5,
                "draining_at": 1011.5,
                "gone_at": 1012.5,
                "phases": {"order": 0.25, "boot": 1.0, "ready": 0.5},
                "outcome": "ready",
                "end": "idle",
                "reason": "ended",
                "last_line": "a says",
            },
        )

    def test_changedItsMind(self) -> None:
        """
        What drained by itself and is ready again does not drain.
        """
        self.order("a")
        self.becomeReady("a")
        self.timeline(Drains("shop", "a"))
        self.instances["a"].change(Change.UNREADY)
        self.assertEqual(self.view("a")["draining_at"], 1001.5)
        self.instances["a"].change(Change.READY)
        self.assertEqual(self.view("a")["draining_at"], None)
        self.assertEqual(self.view("a")["end"], "")

    def test_withoutNode(self) -> None:
        """
        Of an instance without a node, booting lasts until it is ready.
        """
        self.order("a")
        self.clock.advance(2)
        self.timeline(Ready("shop", "a", 2.25))
        phases = self.view("a")["phases"]
        self.assertEqual(phases, {"order": 0.25, "boot": 2.0, "ready": 0.0})

    def test_outcomes(self) -> None:
        """
        Each way in which a start fails has its name and its reason.
        """
        ways: list[tuple[str, str, list[Any]]] = [
            ("failed", "no such file", [StartFailed("shop", "x", "no such file")]),
            ("timeout", "not ready in 60 s", [GivenUp("shop", "x", "not ready in 60 s", True)]),
            ("given_up", "not needed", [GivenUp("shop", "x", "not needed")]),
            ("given_up", "ended", [Retires("shop", "x")]),
            ("exit", "ended", []),
        ]
        for outcome, reason, events in ways:
            self.order("x")
            for each in events:
                self.timeline(each)
            self.gone("x", "ended")
            [start, *_] = self.timeline.starts("shop")
            view = start.view()
            self.assertEqual((view["outcome"], view["reason"]), (outcome, reason))
            self.assertEqual((view["end"], view["ready_at"]), ("", None))

    def test_ends(self) -> None:
        """
        Each way in which one ends that was ready has its name.
        """
        ways: list[tuple[str, list[Any]]] = [
            ("idle", [Drains("shop", "x")]),
            ("retired", [Retires("shop", "x")]),
            ("killed", [Retires("shop", "x"), GivenUp("shop", "x", "does not end")]),
            ("exit", []),
        ]
        for end, events in ways:
            self.order("x")
            self.becomeReady("x")
            for each in events:
                self.timeline(each)
            self.gone("x", "ended")
            view = self.timeline.starts("shop")[0].view()
            self.assertEqual((view["outcome"], view["end"]), ("ready", end))

    def test_known(self) -> None:
        """
        Instances that there were before are shown, but are no starts; so are those that came by
        themselves.
        """
        old = self.order("a", spawn=None)
        old.change(Change.REACHED)
        old.change(Change.READY)
        old.serves(self.clock.seconds())
        self.timeline.begin([old])
        self.order("b", spawn=None)
        self.timeline(DialledIn("shop", "b", "node"))
        self.timeline(Holding("shop"))
        self.timeline(Gone("shop", "unknown", "ended"))
        self.assertEqual(self.view("a")["outcome"], "ready")
        self.assertEqual(self.view("b")["spawn"], None)
        self.assertEqual(self.timeline.starts("shop"), [])
        self.assertEqual(list(self.timeline.instances()), list(self.instances.values()))

    def test_changes(self) -> None:
        """
        What has changed since a revision can be read.
        """
        self.order("a")
        self.order("b")
        revision = self.timeline.revision
        self.assertEqual(self.timeline.lives(revision), [])
        self.timeline(DialledIn("shop", "a", "node"))
        self.assertEqual([each.ticket for each in self.timeline.lives(revision)], ["a"])

    def test_bounds(self) -> None:
        """
        What is kept has an end: of instances that are gone, in number and in time; of starts,
        for each route; of routes, in number.
        """
        self.patch(timeline, "ROUTES", 3)
        for number in range(timeline.ENDED + 10):
            self.order(f"{number}")
            self.gone(f"{number}", "ended")
        self.assertEqual(len(self.timeline.lives()), timeline.ENDED)
        self.assertEqual(len(self.timeline.starts("shop")), timeline.STARTS)
        self.assertEqual(self.timeline.starts("shop")[0].ticket, f"{number}")
        self.clock.advance(timeline.KEPT + 1)
        self.assertEqual(self.timeline.lives(), [])
        for route in ("shop", "b", "c", "shop", "d"):
            self.order(route, route)
        self.assertEqual(len(self.timeline.starts("shop")), timeline.STARTS)
        self.assertEqual(self.timeline.starts("b"), [])
        self.assertEqual(len(self.timeline.starts("d")), 1)
