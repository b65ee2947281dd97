"""
Tests of L{brxy.edge.reload.changes} and L{brxy.edge.reload.plan}.
"""

from __future__ import annotations

from typing import Any

import attrs
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.kinds import Frontend
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import EdgeSettings, Spawn, Spawning
from brxy.edge.reload.changes import AT_ONCE, Changes, sameSpawner
from brxy.edge.reload.plan import Plan, makePlan
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule
from brxy.spawners.spec import parseSpawn
from brxy.values.networks import Networks


def spawn(text: str, name: str = "app", **limits: Any) -> Spawn:
    """
    @return: a spawn as a spawn string says, with a spawner of its own.
    """
    spec = parseSpawn(text)
    spawner: Any = object()
    rule = Rule(**{"pattern": None, "max_instances": 1, "capacity": 1, "name": name, **limits})
    return Spawn(rule, Spawning(spawner, 300.0, 10.0), spec)


def plan(before: EdgeSettings, after: EdgeSettings) -> Plan:
    """
    @return: what a change calls for.
    """
    work = makePlan(before, after, lambda route: False)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Plan = end.value
            return found


class SpawnerTests(SynchronousTestCase):
    """
    Tests of L{sameSpawner}.
    """

    def assertSame(self, same: bool, before: str, after: str) -> None:
        """
        Check whether two spawn strings start the same instances.
        """
        self.assertIs(sameSpawner(spawn(before), spawn(after)), same)

    def test_limits(self) -> None:
        """
        The keys that only the edge heeds make no difference, nor does their order.
        """
        self.assertSame(
            True,
            "app: cwd=/tmp env=A=1 max=2 -- run",
            "app: env=A=1 capacity=5 cwd=/tmp idle-timeout=7 route=a on-change=next -- run",
        )

    def test_others(self) -> None:
        """
        The spawner, its own keys and the command do.
        """
        for other in ("app: -- run 2", "process: -- run", "app: cwd=/tmp -- run"):
            self.assertSame(False, "app: -- run", other)

    def test_told(self) -> None:
        """
        So does what a node or an app learns when it is started.
        """
        before = spawn("app: -- run")
        told: list[dict[str, Any]] = [{"send_proxy": "v1"}, {"speaks_first": "server"}]
        for values in told:
            after = evolve(before, spawning=evolve(before.spawning, **values))
            self.assertFalse(sameSpawner(before, after))

    def test_withoutSpec(self) -> None:
        """
        If it is not known what one was made of, it has to be the same object.
        """
        before, after = (evolve(spawn("app: -- run"), spec=None) for _ in "ab")
        self.assertFalse(sameSpawner(before, after))
        self.assertTrue(sameSpawner(before, before))


class PlanTests(SynchronousTestCase):
    """
    Tests of L{makePlan}.
    """

    def setUp(self) -> None:
        self.spawns = [
            spawn("app: -- run", "a", pattern="a"),
            spawn("app: -- run", "b", pattern="b"),
            spawn("app: -- run", "c", pattern="c"),
        ]
        self.before = EdgeSettings(ports=["tcp:1"], spawns=self.spawns)

    def test_nothing(self) -> None:
        """
        If all is the same, nothing changes, and the spawners are those from before.
        """
        spawns = [spawn("app: -- run", name, pattern=name) for name in "abc"]
        found = plan(self.before, evolve(self.before, spawns=spawns, ports=("tcp:1",)))
        self.assertEqual((found.changes, bool(found.changes)), (Changes(), False))
        self.assertEqual(str(found.changes), "nothing has changed")
        self.assertEqual(found.settings.spawns, self.spawns)

    def test_spawns(self) -> None:
        """
        Spawns are distinguished by their names.  Of one with other limits, the spawner is kept.
        """
        adjusted = spawn("app: -- run", "a", pattern="a", max_instances=7)
        replaced = evolve(spawn("app: -- other", "b", pattern="b"), on_change=OnChange.NEXT)
        added = spawn("app: -- run", "d", pattern="d", capacity=30)
        after = evolve(self.before, spawns=[added, replaced, adjusted])
        found = plan(self.before, after)
        self.assertEqual(
            found.changes, Changes(("d",), ("c",), ("a",), {"b": OnChange.NEXT}, (), ())
        )
        self.assertEqual(str(found.changes), "added d; removed c; adjusted a; replaced b")
        self.assertEqual(
            {name: each.spawner for name, each in found.spawnings.items()},
            {
                "d": added.spawning.spawner,
                "b": replaced.spawning.spawner,
                "a": self.spawns[0].spawning.spawner,
            },
        )
        self.assertEqual(list(found.book.rules), ["d", "b", "a"])
        self.assertEqual((found.book.namesFor("a"), found.slots), (["a"], 30))
        self.assertEqual([found.routes.route(host) for host in "abcd"], ["a", "b", None, "d"])

    def test_times(self) -> None:
        """
        Another idle timeout is an adjustment.
        """
        [first, *others] = self.spawns
        other = evolve(first, spawning=evolve(first.spawning, idle_timeout=1.0))
        found = plan(self.before, evolve(self.before, spawns=[other, *others]))
        self.assertEqual(found.changes, Changes(adjusted=("a",)))
        self.assertEqual(found.spawnings["a"].idle_timeout, 1.0)

    def test_options(self) -> None:
        """
        Of the options, those that can change do, and the others are reported.
        """
        after = evolve(
            self.before,
            routes=["a"],
            max_total=7,
            limits=Limits(max_held=3, head_timeout=1.0),
            state_dir="/elsewhere",
            forwarded_trust=Networks(["10.0.0.0/8"]),
            proxy_trust=Networks(),
        )
        found = plan(self.before, after)
        self.assertEqual({*found.changes.settings}, {"route", "max-total", "max-held"})
        self.assertEqual(
            {*found.changes.restart}, {"head-timeout", "state-dir", "forwarded-trust"}
        )
        settings = found.settings
        self.assertEqual((settings.max_total, settings.limits.max_held), (7, 3))
        self.assertEqual(settings.limits.head_timeout, Limits().head_timeout)
        self.assertIsNone(settings.state_dir)
        self.assertEqual(found.book.max_total, 7)
        self.assertIsNone(found.routes.route("b"))

    def test_ports(self) -> None:
        """
        Ports for nodes are added only; ports over TLS need the certificates.
        """
        before = evolve(self.before, node_ports=["tcp:2"])
        more = evolve(before, node_ports=["tcp:2", "tcp:3"], private_node_port=True)
        self.assertEqual({*plan(before, more).changes.settings}, {"node-port"})
        fewer = evolve(before, node_ports=[])
        self.assertEqual(plan(before, fewer).changes, Changes(restart=("node-port",)))
        secured = evolve(before, tls_ports=["tcp:4"], tls_certs="/certificates")
        self.assertEqual({*plan(before, secured).changes.restart}, {"tls-port", "tls-certs"})
        certified = evolve(before, tls_certs="/certificates")
        frontend = Frontend("db", "tcp:5", True)
        wanted = evolve(certified, tls_ports=["tcp:4"], tls_frontends=[frontend])
        found = plan(certified, wanted)
        self.assertEqual({*found.changes.settings}, {"tls-port", "tcp"})
        self.assertIn("db", found.book)

    def test_names(self) -> None:
        """
        What can change at once are fields that there are; of many names, some are shown.
        """
        fields = {each.name for each in attrs.fields(EdgeSettings)}
        limits = {f"limits.{each.name}" for each in attrs.fields(Limits)}
        self.assertEqual(AT_ONCE - fields - limits, set())
        many = Changes(added=[str(number) for number in range(12)])
        self.assertEqual(str(many), "added 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2 more")
