"""
Tests of L{brxy.edge.metrics.lives}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.events import (
    BadResponse,
    DialledIn,
    Drains,
    Event,
    ExchangeLost,
    GivenUp,
    Gone,
    Holding,
    Ordered,
    Ready,
    Retires,
    StartFailed,
    Unresponsive,
)
from brxy.edge.metrics.labels import RouteLabels
from brxy.edge.metrics.lives import Lives
from brxy.edge.metrics.metric import OWN
from brxy.edge.metrics.series import Distribution, Labels


class LivesTests(SynchronousTestCase):
    """
    Tests of L{Lives}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        labels = RouteLabels(10)
        labels.use(["r"], [])
        self.spawners: dict[tuple[str, str], str] = {("r", "t"): "app", ("r", "u"): "docker"}
        self.lives = Lives(
            labels, lambda route, ticket: self.spawners.get((route, ticket)), self.clock.seconds
        )

    def happen(self, *events: Event) -> None:
        for each in events:
            self.lives(each)

    def values(self, name: str) -> dict[Labels, float]:
        found = next(series for metric, series in self.lives.families() if metric.name == name)
        return {
            labels: value.total if isinstance(value, Distribution) else value
            for labels, value in found.items()
        }

    def test_phases(self) -> None:
        """
        The phases of a start add up to its whole.
        """
        self.clock.advance(5)
        self.happen(Ordered("r", "t"))
        self.clock.advance(2)
        self.happen(DialledIn("r", "t", "n"))
        self.clock.advance(1)
        self.happen(Ready("r", "t", 3.5))
        self.assertEqual(self.values("brxy_starts_total"), {("r", "app", "ready"): 1})
        self.assertEqual(
            self.values("brxy_start_seconds"),
            {
                ("r", "app", "order"): 0.5,
                ("r", "app", "boot"): 2,
                ("r", "app", "ready"): 1,
                ("r", "app", "total"): 3.5,
            },
        )

    def test_withoutNode(self) -> None:
        """
        An instance without a node boots until it is ready.
        """
        self.happen(Ordered("r", "t"))
        self.clock.advance(2)
        self.happen(Ready("r", "t", 2))
        seconds = self.values("brxy_start_seconds")
        self.assertEqual([seconds["r", "app", each] for each in ("boot", "ready")], [2, 0])

    def test_outcomes(self) -> None:
        """
        A start that fails is counted by how it failed.
        """
        for outcome, *events in (
            ("exit",),
            ("failed", StartFailed("r", "t", "x")),
            ("timeout", GivenUp("r", "t", "x", late=True)),
            ("given_up", GivenUp("r", "t", "x")),
            ("given_up", DialledIn("r", "t", "n"), Retires("r", "t")),
        ):
            before = self.values("brxy_starts_total").get(("r", "app", outcome), 0)
            self.happen(Ordered("r", "t"), *events, Gone("r", "t", "x"))
            after = self.values("brxy_starts_total")["r", "app", outcome]
            self.assertEqual(after - before, 1, outcome)
        self.assertEqual(self.values("brxy_stops_total"), {})
        self.assertEqual(self.values("brxy_start_seconds"), {})

    def test_reasons(self) -> None:
        """
        The end of an instance is counted by its reason.
        """
        for reason, *events in (
            ("exit",),
            ("idle", Drains("r", "t")),
            ("retired", Retires("r", "t")),
            ("killed", Retires("r", "t"), GivenUp("r", "t", "x")),
        ):
            self.happen(Ordered("r", "t"), Ready("r", "t", 0), *events, Gone("r", "t", "x"))
            self.assertEqual(self.values("brxy_stops_total")["r", "app", reason], 1)
        self.assertEqual(self.values("brxy_starts_total"), {("r", "app", "ready"): 4})

    def test_seconds(self) -> None:
        """
        The time of instances adds up, while they live and after.
        """
        self.happen(Ordered("r", "t"), Ordered("r", "u"))
        self.clock.advance(3)
        self.happen(Gone("r", "u", "x"))
        self.clock.advance(4)
        self.assertEqual(
            self.values("brxy_instance_seconds_total"), {("r", "app"): 7, ("r", "docker"): 3}
        )

    def test_byItself(self) -> None:
        """
        An instance that came by itself is no start; its time and its end count.
        """
        self.happen(DialledIn("r", "z", "n"))
        self.clock.advance(2)
        self.happen(Ready("r", "z", 2), Drains("r", "z"), Gone("r", "z", "drained"))
        self.assertEqual(self.values("brxy_starts_total"), {})
        self.assertEqual(self.values("brxy_start_seconds"), {})
        self.assertEqual(self.values("brxy_stops_total"), {("r", OWN, "idle"): 1})
        self.assertEqual(self.values("brxy_instance_seconds_total"), {("r", OWN): 2})

    def test_errors(self) -> None:
        """
        What goes wrong with an app is counted; other events are not.
        """
        self.happen(
            Holding("r"),
            ExchangeLost("r", "x"),
            ExchangeLost("r", "y"),
            BadResponse("made-up", "x"),
            Ordered("r", "t"),
            Unresponsive("r", "t"),
        )
        self.assertEqual(
            self.values("brxy_app_errors_total"),
            {("r", "lost"): 2, ("_other", "bad_response"): 1, ("r", "unresponsive"): 1},
        )
