"""
Tests of L{brxy.edge.metrics.edgemetrics} and L{brxy.edge.metrics.state}.
"""

from __future__ import annotations

import re
from collections import Counter

from attrs import define, field, frozen
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.settings import MetricsSettings
from brxy.edge.events import Event, ReloadFailed, Reloading
from brxy.edge.exchanges.refusals import HELD_TOO_LONG, TOO_MANY_ROUTES
from brxy.edge.metrics.edgemetrics import TURN, EdgeMetrics, Scrape, metricsEndpoint
from brxy.edge.metrics.exposition import OPEN_METRICS, PROMETHEUS, Format
from brxy.edge.metrics.metric import OTHER
from brxy.edge.metrics.state import Sources
from brxy.edge.metrics.turns import PAUSE
from brxy.scaler.rules import Rule, Rulebook
from brxy.scaler.scaler import Scaler
from brxy.test.edge.metrics.test_exposition import Samples, samples
from brxy.test.support.memory.admins import MemoryAdmin, ask
from brxy.test.support.memory.clocks import Turns


@define
class Ticking(Turns):
    """
    A clock by which each look at it takes some time.
    """

    step: float = 0.0

    def __attrs_post_init__(self) -> None:
        Clock.__init__(self)

    def seconds(self) -> float:
        self.rightNow += self.step
        return super().seconds()


@define
class _Sink:
    """
    Takes what a scrape writes.
    """

    congested: bool = False
    ended: bool = False
    written: list[bytes] = field(factory=list)

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def end(self) -> None:
        self.ended = True

    def text(self) -> str:
        return b"".join(self.written).decode()


@frozen
class _Done:
    """
    What has become of exchanges.
    """

    total_rejected: Counter[str]


class EdgeMetricsTests(SynchronousTestCase):
    """
    Tests of L{EdgeMetrics}.
    """

    def setUp(self) -> None:
        self.clock = Ticking()
        self.waiting: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.scaler = Scaler(
            Rulebook([Rule(None, 10, 4, "app")], max_total=5000),
            epoch=0.0,
            waiting=lambda route: self.waiting[route],
        )
        sources = Sources(
            self.scaler.snapshots, lambda: _Done(self.rejected), lambda: 7, self.clock.seconds
        )
        self.flushed: list[None] = []
        self.metrics = EdgeMetrics(
            self.clock, MetricsSettings(on=True), sources, lambda: self.flushed.append(None)
        )

    def demand(self, route: str, waiting: int) -> None:
        self.waiting[route] = waiting
        self.scaler.demand(route, self.clock.seconds(), "")

    def scrape(self, form: Format = PROMETHEUS) -> Samples:
        return samples(self.text(form), form)

    def text(self, form: Format = PROMETHEUS) -> str:
        return b"".join(self.metrics.render(form)).decode()

    def test_gauges(self) -> None:
        """
        Routes that the settings don't name are added up.
        """
        self.metrics.use(["shop"], [])
        self.demand("shop", 6)
        self.demand("made-up-1", 2)
        self.demand("made-up-2", 1)
        for form in (PROMETHEUS, OPEN_METRICS):
            found = self.scrape(form)
            for route, held, instances in (("shop", 6, 2), (OTHER, 3, 2)):
                own = ("route", route)
                self.assertEqual(found["brxy_held", (own,)], held)
                ordered = (own, ("spawner", "app"), ("state", "ordered"))
                self.assertEqual(found["brxy_instances", ordered], instances)
                self.assertEqual(found["brxy_breaker_open", ordered[:2]], 0)
            self.assertEqual(found["brxy_clients", ()], 7)
        self.assertEqual(len(self.flushed), 2, "flushed before each scrape")

    def test_zero(self) -> None:
        """
        The series of a route that rests stay.
        """
        self.metrics.use(["shop"], [])
        self.demand("shop", 1)
        before = self.scrape()
        [instance] = self.scaler.instances("shop")
        self.waiting.clear()
        self.scaler.gone(instance.ticket, "x", False, 0.0)
        self.clock.advance(1000)
        self.scaler.tick(self.clock.seconds())
        after = self.scrape()
        self.assertEqual(set(after), set(before))
        self.assertEqual(after["brxy_held", (("route", "shop"),)], 0)

    def test_limits(self) -> None:
        """
        Limits are counted by their names, from 0 on.
        """
        self.rejected.update({HELD_TOO_LONG.text: 3, TOO_MANY_ROUTES.text: 2})
        found = self.scrape()
        limits = [found["brxy_limit_total", (("limit", each),)] for each in LIMITS]
        self.assertEqual(limits, [0, 0, 3])
        self.assertEqual(found["brxy_wake_denied_total", (("reason", "max-routes"),)], 2)
        self.assertEqual(found["brxy_wake_denied_total", (("reason", "wake-rate"),)], 0)

    def test_turns(self) -> None:
        """
        A scrape of many routes is made in many turns, and has all of them.
        """
        routes = [f"app{number}" for number in range(100)]
        self.metrics.use(routes, [])
        for each in routes:
            self.demand(each, 1)
        sinks = []
        for step in (0, TURN / 10):
            clock = Ticking(step)
            scrape = Scrape(clock, "text/plain", self.metrics.render(PROMETHEUS))
            sinks.append(sink := _Sink())
            scrape.start(sink)
            while clock.calls:
                clock.turn()
            self.assertTrue(sink.ended)
        self.assertEqual(len(sinks[0].written), 1)
        self.assertGreater(len(sinks[1].written), 10)
        self.assertEqual(*(each.text().count("\n") for each in sinks))

    def test_slow(self) -> None:
        """
        Nothing more is rendered for a client that does not take what it was sent, or has gone.
        """
        clock = Ticking(TURN)
        scrape = Scrape(clock, "text/plain", self.metrics.render(PROMETHEUS))
        sink = _Sink(congested=True)
        scrape.start(sink)
        self.assertEqual((len(sink.written), clock.calls), (1, []))
        scrape.resume()
        clock.turn()
        self.assertEqual((len(sink.written), clock.calls), (2, []))
        sink.congested = False
        scrape.resume()
        clock.turn()
        self.assertEqual(len(clock.calls), 1)
        scrape.stop()
        self.assertEqual((clock.calls, sink.ended), ([], False))

    def test_late(self) -> None:
        """
        What a timer is late is measured once a second.
        """
        turns = self.metrics.turns
        turns.start()
        self.clock.rightNow += PAUSE + 0.5
        self.clock.turn()
        self.clock.rightNow += PAUSE
        self.clock.turn()
        found = self.scrape()
        self.assertEqual(found["brxy_turn_seconds_sum", ()], 0.5)
        self.assertEqual(found["brxy_turn_seconds_bucket", (("le", "0.0005"),)], 1)
        self.assertEqual(found["brxy_turn_seconds_count", ()], 2)
        turns.stop()
        self.assertEqual(self.clock.calls, [])

    def test_reload(self) -> None:
        """
        The last reload has succeeded if nothing of it has failed.
        """
        success = ("brxy_config_last_reload_success", ())
        at = ("brxy_config_last_reload_timestamp_seconds", ())
        before = self.scrape()
        self.assertEqual(before[success], 1)
        failed: list[Event] = [Reloading(), ReloadFailed("x")]
        for events, expected in ((failed, 0), (failed[:1], 1)):
            for each in events:
                self.metrics.reloads(each)
            found = self.scrape()
            self.assertEqual(found[success], expected)
            self.assertGreaterEqual(found[at], before[at])

    def test_rejected(self) -> None:
        """
        Files that can't be used are named until they can be again; they are few.
        """
        many: list[Event] = [ReloadFailed(f"apps/{each}.toml:3: x") for each in range(102)]
        rejected = "brxy_config_files_rejected"
        for events, values in (
            ([ReloadFailed("token: no such file")], {}),
            ([many[0], ReloadFailed("apps/0.toml:4: y")], {"apps/0.toml": 1}),
            ([], {"apps/0.toml": 0}),
            (many, {"apps/0.toml": 1, "apps/99.toml": 1, "apps/100.toml": None, OTHER: 1}),
        ):
            for event in [Reloading(), *events]:
                self.metrics.reloads(event)
            found = self.scrape()
            for file, value in values.items():
                self.assertEqual(found.get((rejected, (("file", file),))), value)
            names = {name for name, _ in found}
            self.assertEqual(rejected in names, bool(values))

    def test_endpoint(self) -> None:
        """
        The admin API serves them in the format that a client prefers.
        """
        admin = MemoryAdmin([metricsEndpoint(self.clock, self.metrics)])
        for accept, form in (("*/*", PROMETHEUS), ("application/openmetrics-text", OPEN_METRICS)):
            client = admin.send(ask("/metrics", Accept=accept))
            self.assertEqual(client.statuses, [200])
            head, _, chunks = bytes(client.received).decode().partition("\r\n\r\n")
            body = "".join(re.split(r"^[0-9a-f]+\r\n|\r\n", chunks, flags=re.MULTILINE))
            self.assertIn(f"\r\nContent-Type: {form.content_type}\r\n", head)
            self.assertEqual(samples(body, form)["brxy_clients", ()], 7)

    def test_off(self) -> None:
        """
        An edge without metrics says how to have them.
        """
        client = MemoryAdmin([metricsEndpoint(self.clock, None)]).send(ask("/metrics"))
        self.assertEqual(client.statuses, [404])
        self.assertIn("--metrics", client.value()["error"])


LIMITS = ("max-held", "max-held-per-address", "hold-timeout")
