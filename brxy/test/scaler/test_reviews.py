"""
Tests of L{brxy.scaler.rolls.Reviews}: what becomes of instances when the settings change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.scaler.instance import Instance, State
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule, Rulebook
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.fleets import FakeEdge
from brxy.values.capacity import AUTO
from brxy.values.routepattern import PatternIndex, covers

ONE = Rule("r", 3, 1, "one")


class PatternIndexTests(SynchronousTestCase):
    """
    Tests of L{PatternIndex}.
    """

    @bounded(200)
    @given(
        st.lists(st.sampled_from([None, "a", "b", "*.b", "a.b", "*.a.b", "x.a.b"])),
        st.sampled_from(["a", "b", "a.b", "x.a.b", "y.x.a.b", "c", "ab"]),
    )
    def test_covers(self, patterns: list[str | None], route: str) -> None:
        """
        It finds the patterns that cover a route, in their order.
        """
        index: PatternIndex[int] = PatternIndex()
        for number, each in enumerate(patterns):
            index.add(each, number)
        expected = [number for number, each in enumerate(patterns) if covers(each, route)]
        self.assertEqual(index.find(route), expected)
        self.assertEqual(index.covers(route), bool(expected))


class ReviewTests(SynchronousTestCase):
    """
    Tests of L{Reviews}.
    """

    def make(self, *rules: Rule, max_total: int = 100) -> None:
        """
        Make an edge with these rules.
        """
        self.edge = FakeEdge(rules, max_total)

    def change(
        self,
        rules: Sequence[Rule],
        changes: Mapping[str, OnChange] | None = None,
        served: bool = True,
        max_total: int = 100,
    ) -> None:
        """
        Change to these rules, and review all routes.
        """
        scaler = self.edge.scaler
        scaler.book.adopt(Rulebook(rules, max_total=max_total))
        for route in scaler.reviews.routes():
            self.edge.perform(scaler.reviews.review(route, changes or {}, served, self.edge.now))
        self.edge.perform(scaler.reviews.finish(self.edge.now))

    def serving(self, number: int) -> list[Instance]:
        """
        @return: this many ready instances, each with an exchange.
        """
        orders = self.edge.hold(number)
        for each in orders:
            self.edge.start(each)
            self.edge.serve(each)
            self.edge.perform(self.edge.scaler.answered(each, self.edge.now))
        return orders

    def test_nothing(self) -> None:
        """
        If nothing is different for a route, nothing happens there.
        """
        self.make(ONE)
        self.serving(2)
        self.change([ONE, Rule("s", 1, 1, "other")])
        self.assertEqual(len(self.edge.spawned), 2)
        self.assertEqual((self.edge.retired, self.edge.stopped), ([], []))

    def test_removed(self) -> None:
        """
        The instances of a spawn that is not configured any more drain, those that came by
        themselves stay.
        """
        self.make(ONE)
        [ready] = self.serving(1)
        [ordered] = self.edge.hold(1)
        stranger = self.edge.dial(node_id="stranger")
        self.edge.ready(stranger)
        self.change([])
        self.assertEqual(self.edge.retired, [ready])
        self.assertEqual([each.instance for each in self.edge.stopped], [ordered])
        self.assertEqual(stranger.state, State.READY)
        self.assertTrue(self.edge.scaler.present("r"))
        self.edge.end(ready)
        self.edge.end(ordered)
        self.assertEqual(len(self.edge.spawned), 2)

    def test_notPresent(self) -> None:
        """
        A route all of whose instances drain has none that may serve.
        """
        self.make(ONE)
        self.serving(1)
        self.assertTrue(self.edge.scaler.present("r"))
        self.change([])
        self.assertFalse(self.edge.scaler.present("r"))

    def test_unserved(self) -> None:
        """
        So do those of a route that is no longer served, though there is a rule for it.
        """
        self.make(ONE)
        instances = self.serving(2)
        self.change([ONE], served=False)
        self.assertEqual(self.edge.retired, instances)

    def test_roll(self) -> None:
        """
        A spawn that starts other instances has the older ones replaced one at a time; those
        of another spawn stay.
        """
        other = Rule("r", 3, 1, "other")
        self.make(Rule("r", 1, 1, "one"), other)
        mine, spilled = self.serving(2)
        self.assertEqual((mine.spawn, spilled.spawn), ("one", "other"))
        self.change([Rule("r", 1, 1, "one"), other], {"one": OnChange.ROLL})
        *_, newer = self.edge.spawned
        self.assertEqual((len(self.edge.spawned), newer.spawn), (3, "one"))
        self.assertEqual(self.edge.retired, [])
        self.edge.start(newer)
        self.assertEqual(self.edge.retired, [mine])
        self.edge.end(mine)
        self.assertEqual(self.edge.snapshot().rolling, set())
        self.assertEqual((len(self.edge.spawned), spilled.state), (3, State.READY))

    def test_next(self) -> None:
        """
        With C{next}, the older ones stay until they leave.
        """
        self.make(ONE)
        self.serving(2)
        self.change([ONE], {"one": OnChange.NEXT})
        self.assertEqual((len(self.edge.spawned), self.edge.retired), (2, []))

    def test_restart(self) -> None:
        """
        With C{restart}, all are retired at once, and exchanges that wait get newer ones.
        """
        self.make(Rule("r", 4, 1, "one"))
        instances = self.serving(2)
        self.edge.waiting["r"] = 1
        self.change([Rule("r", 4, 1, "one")], {"one": OnChange.RESTART})
        self.assertEqual(self.edge.retired, instances)
        self.assertEqual(len(self.edge.spawned), 3)

    def test_breaker(self) -> None:
        """
        Failures of before say nothing about a spawn that starts other instances: what waits
        has one ordered at once, also if an old one still fails then.
        """
        self.make(ONE)
        [first] = self.edge.hold(1)
        self.edge.end(first)
        self.assertEqual(self.edge.hold(1), [])
        self.edge.advance(1.0)
        [canary] = self.edge.hold(1)
        self.edge.waiting["r"] = 2
        self.change([ONE], {"one": OnChange.NEXT})
        [_, _, newer] = self.edge.spawned
        self.edge.end(canary)
        [snapshot] = self.edge.snapshot().routes["r"].spawns
        self.assertIsNone(snapshot.allowed)
        self.assertEqual(newer.state, State.ORDERED)

    def test_learned(self) -> None:
        """
        So it is with the capacity that was learned.
        """
        rule = Rule("r", 3, AUTO, "one")
        self.make(rule)
        capacities = self.edge.scaler.restarts.capacities
        capacities.restore([["one", "r", 4], ["one", "s", 5]])
        self.edge.hold(1)
        self.change([rule])
        self.assertEqual(capacities.expected("one", "r"), 4)
        self.change([rule], {"one": OnChange.ROLL})
        self.assertIsNone(capacities.expected("one", "r"))
        self.assertEqual(self.edge.learned, 1)

    def test_lowerMaximum(self) -> None:
        """
        What exceeds a lower maximum is retired, idle ones first, then the oldest.
        """
        self.make(ONE)
        busy, older, idle = self.serving(3)
        self.edge.finish(idle)
        self.change([Rule("r", 1, 1, "one")])
        self.assertEqual(self.edge.retired, [idle, busy])
        self.assertEqual(older.state, State.READY)
        self.edge.end(idle)
        self.edge.end(busy)
        self.assertEqual(len(self.edge.spawned), 3)

    def test_higherMaximum(self) -> None:
        """
        With a higher maximum, what waits has more ordered at once.
        """
        self.make(Rule("r", 1, 1, "one"))
        self.assertEqual(len(self.edge.hold(3)), 1)
        self.change([ONE])
        self.assertEqual(len(self.edge.spawned), 3)

    def test_total(self) -> None:
        """
        So it is with the maximum of all routes.
        """
        self.make(ONE, max_total=1)
        self.assertEqual(len(self.edge.hold(3)), 1)
        self.assertTrue(self.edge.scaler.short)
        self.change([ONE], max_total=2)
        self.assertEqual(len(self.edge.spawned), 2)
        self.change([ONE], max_total=5)
        self.assertEqual(len(self.edge.spawned), 3)
        self.assertFalse(self.edge.scaler.short)

    def test_added(self) -> None:
        """
        An added spawn takes what waits for its route.
        """
        self.make()
        self.assertEqual(self.edge.hold(2), [])
        self.edge.scaler.book.adopt(Rulebook([ONE], max_total=5))
        reviews = self.edge.scaler.reviews
        self.edge.perform(reviews.review("r", {}, True, self.edge.now))
        self.assertEqual(len(self.edge.spawned), 2)

    def test_rollWithoutSpawner(self) -> None:
        """
        A roll whose spawn is removed ends.
        """
        self.make(ONE)
        self.serving(2)
        self.edge.perform(self.edge.scaler.roll("r", self.edge.now))
        self.change([])
        for each in list(self.edge.spawned):
            self.edge.end(each)
        self.assertEqual(self.edge.snapshot().rolling, set())
        self.assertEqual(len(self.edge.spawned), 3)

    def test_named(self) -> None:
        """
        What the settings name changes with them.
        """
        self.make(ONE)
        scaler = self.edge.scaler
        self.assertFalse(scaler.wakesUnnamed("r", 0.0))
        before = scaler.book.adopt(Rulebook([Rule(None, 1, 1, "all")], max_total=5, named=["s"]))
        self.assertTrue(scaler.wakesUnnamed("r", 0.0))
        self.assertFalse(scaler.wakesUnnamed("s", 0.0))
        self.assertTrue(before.serves("r") and not before.serves("s"))
