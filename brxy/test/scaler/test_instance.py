"""
Tests of L{brxy.scaler.instance}.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

import brxy.scaler
from brxy.scaler.instance import MAY, MUST, TABLE, Change, Instance, Stage, State
from brxy.test.support.memory.fleets import FakeEdge, violations

STAGES = {stage for stage, _ in TABLE}


def at(stage: Stage) -> Instance:
    """
    @return: an instance in this stage.
    """
    return Instance(
        "t",
        "r",
        1,
        1,
        state=stage.state,
        retired=stage.retired,
        retire_sent=stage.retire_sent,
    )


class TableTests(SynchronousTestCase):
    """
    Tests of L{TABLE}.
    """

    def test_walk(self) -> None:
        """
        Each declared change leads to its stage, and says whether the state is another;
        each other one raises, and changes nothing.
        """
        for stage in STAGES:
            for change in Change:
                instance = at(stage)
                if (stage, change) in TABLE:
                    after = TABLE[stage, change]
                    self.assertEqual(instance.change(change), after.state != stage.state)
                    self.assertEqual(instance.stage, after)
                else:
                    self.assertRaises(KeyError, instance.change, change)
                    self.assertEqual(instance.stage, stage)

    def test_reachable(self) -> None:
        """
        Every stage can be reached from an order, and leads to the end.
        """
        found, new = set(), {Stage(State.ORDERED)}
        while new:
            found |= new
            new = {TABLE[key] for key in TABLE if key[0] in new} - found
        self.assertEqual(found, STAGES)
        for stage in STAGES:
            if stage.state is not State.GONE:
                self.assertEqual(TABLE[stage, Change.BURIED].state, State.GONE)

    def test_final(self) -> None:
        """
        A retired instance is never ready again, and one that is gone stays so.
        """
        for (stage, _), after in TABLE.items():
            if stage.retired:
                self.assertIn(after.state, (State.DRAINING, State.GONE))
                self.assertEqual(after.retired, after.state is State.DRAINING)
            if stage.state is State.GONE:
                self.assertEqual(after, stage)

    def test_sent(self) -> None:
        """
        What was sent is lost with the last slot, and known to none but the retired.
        """
        for (stage, change), after in TABLE.items():
            self.assertTrue(after.retired or not after.retire_sent, (stage, change))
            if change is Change.DISCONNECTED:
                self.assertFalse(after.retire_sent, stage)


class LegalTests(SynchronousTestCase):
    """
    Tests of what may be true of an instance in each state.
    """

    #: What makes each of these true.
    VALUES = {"start_by": 0.0, "ready_since": 0.0, "lost_at": 0.0, "slots": 1}

    def test_names(self) -> None:
        """
        The lists name fields that there are.
        """
        self.assertEqual({*MAY, *MUST} - {each.name for each in fields(Instance)}, set())

    def test_may(self) -> None:
        """
        What may not be true of an instance in its state is found.
        """
        for name, states in MAY.items():
            for state in State:
                instance = at(Stage(state))
                setattr(instance, name, self.VALUES.get(name, True))
                found = f"{name} while {state.name}" in violations(instance)
                self.assertEqual(found, state not in states, (name, state))

    def test_must(self) -> None:
        """
        What must be true of it, and isn't, is found.
        """
        for name, states in MUST.items():
            for state in State:
                found = f"not {name} while {state.name}" in violations(at(Stage(state)))
                self.assertEqual(found, state in states, (name, state))

    def test_together(self) -> None:
        """
        So is what can't be true together.
        """
        fine = {"ready_since": 0.0, "spawn": "a", "judged": True}
        for wrong in (
            {"lost_at": 1.0, "slots": 1},
            {"answered": True, "judged": False},
            {"watched": True, "spawn": None},
            {"retired": True},
        ):
            instance = at(Stage(State.READY))
            for name, value in {**fine, **wrong}.items():
                setattr(instance, name, value)
            self.assertEqual(len(violations(instance)), 1 + ("retired" in wrong), wrong)


class WriterTests(SynchronousTestCase):
    """
    The writer of an instance.
    """

    def test_one(self) -> None:
        """
        In all of L{brxy.scaler} no module but its own writes a field of an instance.
        """
        names = {each.name for each in fields(Instance)}
        wrong = []
        for path in sorted(Path(brxy.scaler.__path__[0]).glob("*.py")):
            if path.name != "instance.py":
                wrong += [f"{path.name}:{node.lineno}" for node in self.writes(path, names)]
        self.assertEqual(wrong, [])

    def writes(self, path: Path, names: set[str]) -> Iterator[ast.Attribute]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and node.attr in names
                # A fleet has a newest, too.
                and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "fleet"))
            ):
                yield node


class RetiredTests(SynchronousTestCase):
    """
    What is sent to an instance that has to end.
    """

    def test_withoutSlots(self) -> None:
        """
        An instance that is retired while it has no slot is sent RETIRE when it is back.
        """
        edge = FakeEdge()
        [instance] = edge.hold()
        edge.start(instance)
        edge.waiting.clear()
        edge.lose(instance)
        edge.perform(edge.scaler.withdrawn(instance.ticket, edge.now))
        before = len(edge.retired)
        edge.advance(1.0)
        edge.start(instance)
        self.assertEqual(edge.retired[before:], [instance])
        edge.ready(instance)
        self.assertEqual(edge.retired[before:], [instance])
