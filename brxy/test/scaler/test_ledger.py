"""
Tests for L{brxy.scaler.ledger}, as L{brxy.scaler.scaler.Scaler} uses it.
"""

from __future__ import annotations

import json

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import NodeRefused
from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import EPOCH, FakeEdge


class HelloTests(SynchronousTestCase):
    """
    Nodes that dial in.
    """

    def setUp(self) -> None:
        self.edge = FakeEdge([Rule(None, 10, 2)], now=100.0)

    def test_ticket(self) -> None:
        """
        A node that brings a ticket is the instance that was ordered; it says
        how much it takes; its further slots are the same instance's.
        """
        [ordered] = self.edge.hold()
        instance = self.edge.dial(ordered.ticket, "n", capacity=3)
        self.assertIs(instance, ordered)
        self.assertEqual(instance.state, State.CONNECTED)
        self.assertEqual(instance.capacity, 3)
        self.assertIs(self.edge.dial(ordered.ticket, "n", capacity=3), ordered)
        self.assertEqual(instance.slots, 2)

    def test_refused(self) -> None:
        """
        A ticket serves one node and one route only, a node one ticket.
        """
        one, two = self.edge.hold(4)
        self.edge.dial(one.ticket, "n")
        for ticket, node_id, route in (
            (one.ticket, "m", "r"),
            (one.ticket, "n", "s"),
            (two.ticket, "m", "s"),
            (two.ticket, "n", "r"),
            ("", "n", "s"),
        ):
            with self.assertRaises(NodeRefused):
                self.edge.dial(ticket, node_id, route)
        self.assertEqual((one.slots, two.slots, two.state), (1, 0, State.ORDERED))

    def test_adopted(self) -> None:
        """
        A node without a ticket, or with an unknown one, is a new instance;
        its further slots are the same instance's.
        """
        for ticket in ("", "unknown"):
            instance = self.edge.dial(ticket, "n" + ticket)
            self.assertIs(self.edge.dial(ticket, "n" + ticket), instance)
            self.assertIsNone(instance.spawn)
            self.assertFalse(instance.watched)
            self.assertEqual(instance.state, State.CONNECTED)
            self.assertEqual(instance.generation // 1_000_000, int(EPOCH + 100))
        self.assertEqual(self.edge.scaler.total(), 2)

    def test_unknownTicketBinds(self) -> None:
        """
        An unknown ticket, too, belongs to the first node that brings it.
        """
        self.edge.dial("unknown", "n")
        with self.assertRaises(NodeRefused):
            self.edge.dial("unknown", "m")

    def test_ownGeneration(self) -> None:
        """
        A node that comes by itself keeps its generation, unless it is of the
        future; what comes after is newer.
        """
        now = int((EPOCH + 100.0) * 1e6)
        self.assertEqual(self.edge.dial(node_id="a", generation=now - 7).generation, now - 7)
        self.assertEqual(self.edge.dial(node_id="b", generation=now + 7).generation, now)
        self.assertEqual(self.edge.dial(node_id="c", generation=0).generation, now + 1)
        self.assertEqual(self.edge.dial(node_id="d").generation, now + 2)

    def test_fronted(self) -> None:
        """
        An instance whose address is known is as good as connected.
        """
        [instance] = self.edge.hold()
        self.edge.perform(self.edge.scaler.fronted(instance.ticket, self.edge.now))
        self.assertEqual(instance.state, State.CONNECTED)
        self.assertTrue(self.edge.newest[instance])
        self.assertEqual(self.edge.scaler.fronted("nobody", self.edge.now), [])


class RestartTests(SynchronousTestCase):
    """
    The edge restarts, the instances stay.
    """

    def setUp(self) -> None:
        before = FakeEdge([Rule(None, 4, 2)], now=1000.0)
        self.spawned = before.hold(7)
        self.stranger = before.dial(node_id="stranger")
        for instance in self.spawned[:3]:
            before.connect(instance)
        before.ready(self.spawned[0])
        before.ready(self.spawned[2])
        before.perform(before.scaler.unready(self.spawned[2], before.now))
        self.records = json.loads(json.dumps(before.scaler.restarts.records()))
        self.edge = FakeEdge([Rule(None, 4, 2)])
        self.edge.scaler.restarts.restore(self.records, 0.0)

    def test_snapshot(self) -> None:
        """
        What is connected and does not drain is remembered, and whether an
        edge ordered it.
        """
        expected = {self.spawned[0].ticket: True, self.spawned[1].ticket: True}
        expected[self.stranger.ticket] = False
        found = {record["ticket"]: record["adopted"] for record in self.records}
        self.assertEqual(found, expected)

    def test_expected(self) -> None:
        """
        They count as coming; an instance that comes back has its generation, and serves.
        """
        self.assertEqual(self.edge.hold(5), [])
        first = self.spawned[0]
        instance = self.edge.dial(first.ticket, first.node_id or "", capacity=2, generation=5)
        self.assertEqual(instance.generation, first.generation)
        self.assertTrue(instance.adopted)
        self.assertFalse(self.edge.dial(node_id="stranger").adopted)
        self.edge.ready(instance)
        self.edge.advance(100.0)
        self.assertEqual(instance.state, State.READY)

    def test_wrongNode(self) -> None:
        """
        The ticket is still bound to its node.
        """
        with self.assertRaises(NodeRefused):
            self.edge.dial(self.spawned[0].ticket, "thief")

    def test_missing(self) -> None:
        """
        An instance that does not come back in time is gone and replaced, and has not failed.
        """
        self.edge.hold(5)
        self.edge.advance(5.0)
        self.assertEqual(len(self.edge.spawned), 3)
        self.assertEqual(self.edge.failures, [])
        self.assertEqual(self.edge.stopped, [])
        # They had 5 s, and not the 50 s of an order.
        self.assertEqual(self.edge.buried, ["not back after the restart of the edge"] * 3)

    def test_sought(self) -> None:
        """
        What a spawner can find again is remembered from its order on, as its
        own; only what its rule still covers is looked for.
        """
        rules = [
            Rule("x", 4, 1, "docker", True),
            Rule("r", 4, 1, "docker-2", True),
            Rule(None, 4, 1),
        ]
        before = FakeEdge(rules)
        ordered, draining = before.hold(2)
        before.start(draining)
        before.waiting.clear()
        before.perform(before.scaler.unready(draining, before.now))
        before.hold(route="s")
        [record] = json.loads(json.dumps(before.scaler.restarts.records()))
        self.assertEqual((record["ticket"], record["spawner"]), (ordered.ticket, "docker-2"))
        edge = FakeEdge(rules)
        [sought] = edge.scaler.restarts.restore([record], 0.0)
        self.assertEqual((sought.spawn, sought.watched, sought.adopted), ("docker-2", True, True))
        self.assertEqual(edge.hold(), [])
        for other in ([Rule("r", 4, 1, "docker", True)], [Rule("x", 4, 1, "docker-2", True)]):
            edge = FakeEdge(other)
            self.assertEqual(edge.scaler.restarts.restore([record], 0.0), [])
            self.assertEqual(edge.scaler.total(), 0)

    def seek(self, node_id: str | None) -> tuple[FakeEdge, Instance]:
        """
        @return: an edge that has restarted, and the instance it looks for,
            with one waiting.
        """
        rules = [Rule(None, 1, 1, "docker", True)]
        before = FakeEdge(rules)
        before.hold()
        [record] = before.scaler.restarts.records()
        edge = FakeEdge(rules)
        [sought] = edge.scaler.restarts.restore([{**record, "node_id": node_id}], 0.0)
        self.assertEqual(edge.hold(), [])
        return edge, sought

    def test_found(self) -> None:
        """
        What was found lives as what was ordered: it is given up when it is not
        ready in time.
        """
        edge, sought = self.seek(None)
        edge.advance(49.0)
        self.assertEqual(edge.stopped, [])
        edge.advance(2.0)
        self.assertEqual([each.instance for each in edge.stopped], [sought])

    def test_notFound(self) -> None:
        """
        What was not found is gone at once and replaced; that is no failure.
        """
        edge, sought = self.seek("n")
        edge.end(sought, "not found")
        self.assertEqual(sought.state, State.GONE)
        self.assertEqual(len(edge.spawned), 1)
        self.assertEqual(edge.failures, [])

    def test_unfound(self) -> None:
        """
        An instance of which nothing can be found out is gone when it has no node, and
        else if that does not dial in within the grace.
        """
        edge, sought = self.seek(None)
        edge.perform(edge.scaler.unfound(sought.ticket, edge.now))
        self.assertEqual(len(edge.spawned), 1)
        edge, sought = self.seek("n")
        edge.perform(edge.scaler.unfound(sought.ticket, edge.now))
        edge.advance(4.9)
        self.assertEqual(edge.spawned, [])
        edge.advance(0.2)
        self.assertEqual(len(edge.spawned), 1)
        edge, sought = self.seek("n")
        edge.dial(sought.ticket, "n")
        edge.perform(edge.scaler.unfound(sought.ticket, edge.now))
        edge.advance(10.0)
        self.assertEqual(sought.state, State.CONNECTED)
        self.assertEqual(edge.scaler.unfound("nobody", edge.now), [])

    def test_survivors(self) -> None:
        """
        An instance that comes back by itself counts as one of the spawn that ordered it,
        need not be ready at once, and is gone when it does not come.
        """
        rules = [Rule(None, 1, 1, "process"), Rule(None, 2, 1, "process-2")]
        before = FakeEdge(rules)
        [_, second] = before.hold(2)
        before.start(second)
        [record] = json.loads(json.dumps(before.scaler.restarts.records()))
        edge = FakeEdge(rules)
        self.assertEqual(edge.scaler.restarts.restore([record], 0.0), [])
        instance = edge.dial(second.ticket, second.node_id or "", capacity=1)
        self.assertEqual(
            (instance.spawn, instance.rank, instance.watched), ("process-2", 1, False)
        )
        self.assertEqual([each.spawn for each in edge.hold(4)], ["process", "process-2"])
        edge.advance(10.0)
        self.assertEqual(instance.state, State.CONNECTED)
        missing = FakeEdge(rules)
        missing.scaler.restarts.restore([record], 0.0)
        missing.advance(5.0)
        self.assertEqual((missing.scaler.total(), missing.failures), (0, []))
        self.assertEqual(missing.buried, ["not back after the restart of the edge"])

    def test_byName(self) -> None:
        """
        In whatever order the spawns are given after a restart, and whichever is missing,
        an instance belongs to the spawn of its own name, or to none.
        """
        one, two = Rule("r", 1, 1, "one", True), Rule("s", 1, 1, "two", True)
        before = FakeEdge([one, two])
        before.hold(route="r")
        before.hold(route="s")
        records = json.loads(json.dumps(before.scaler.restarts.records()))
        self.assertEqual([each["spawner"] for each in records], ["one", "two"])
        for rules, expected in (
            ([two, one], {"r": "one", "s": "two"}),
            ([two], {"s": "two"}),
            ([evolve(two, name="one", pattern=None)], {"r": "one", "s": None}),
            ([evolve(one, name="two"), evolve(two, name="one")], {}),
        ):
            edge = FakeEdge(rules)
            sought = edge.scaler.restarts.restore(records, 0.0)
            found = {each.route: each.spawn for each in sought}
            self.assertEqual(found, {key: name for key, name in expected.items() if name})

    def test_twoOfOneName(self) -> None:
        """
        Two spawns can't have the same name.
        """
        rules = [Rule("r", 1, 1, "a"), Rule("s", 1, 1, "a")]
        self.assertRaises(ValueError, FakeEdge, rules)

    def test_generationsRise(self) -> None:
        """
        New orders are newer than all instances from before, even when the
        clock went back.
        """
        newest = max(record["generation"] for record in self.records)
        [instance] = self.edge.hold(6)
        self.assertGreater(instance.generation, newest)
