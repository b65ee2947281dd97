"""
Tests of L{brxy.edge.fleet.statefile}.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.edge.events import Event, Events, StateNotSaved
from brxy.edge.fleet.statefile import RETRY, StateFile, StateKeeper
from brxy.errors import UsageError
from brxy.scaler.rules import Rule
from brxy.test.support.memory.fleets import FakeEdge
from brxy.values.capacity import AUTO

INSTANCE = {
    "ticket": "t1",
    "route": "r",
    "capacity": 1,
    "generation": 7,
    "node_id": "n",
    "adopted": True,
}
CAPACITY = ["s", "r", 4]


class StateTests(SynchronousTestCase):
    """
    Tests of L{StateFile}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())

    @property
    def file(self) -> Path:
        return self.folder / "edge.json"

    def state(self) -> StateFile:
        return StateFile(str(self.folder))

    def test_none(self) -> None:
        """
        Without a folder nothing is remembered, and each edge has a name of its
        own.
        """
        first, second = StateFile(None), StateFile(None)
        first.save([INSTANCE])
        self.assertNotEqual(first.edge_id, second.edge_id)
        self.assertEqual(second.instances, [])

    def test_remembered(self) -> None:
        """
        The edge's name and its instances outlive it.
        """
        first = self.state()
        self.assertEqual(first.instances, [])
        first.save([INSTANCE])
        second = self.state()
        self.assertEqual((second.edge_id, second.instances), (first.edge_id, [INSTANCE]))
        second.save([])
        self.assertEqual(self.state().instances, [])

    def test_nameAtOnce(self) -> None:
        """
        The name is kept also when nothing was ever saved.
        """
        self.assertEqual(self.state().edge_id, self.state().edge_id)

    def test_key(self) -> None:
        """
        So is the key, of which there are no two.
        """
        first = self.state()
        self.assertEqual(self.state().key, first.key)
        self.assertEqual(len({first.key, StateFile(None).key, StateFile(None).key}), 3)
        self.assertEqual({len(each.key) for each in (first, StateFile(None))}, {32})

    def test_noKey(self) -> None:
        """
        A file of before there were keys gets one.
        """
        self.state()
        self.file.write_text('{"edge": "e", "instances": []}')
        state = self.state()
        self.assertEqual(state.edge_id, "e")
        self.assertEqual(self.state().key, state.key)

    def test_private(self) -> None:
        """
        No other user can read the folder, nor the file, whatever the umask.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.state().save([INSTANCE])
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        # Nor if it was made so that others can.
        (self.folder / "edge.new").touch(0o666)
        self.state().save([INSTANCE])
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_links(self) -> None:
        """
        Where others can put files in the folder, a link of theirs has nothing
        overwritten, and nothing is read from it.
        """
        self.folder.mkdir()
        self.folder.chmod(0o777)
        victim = self.folder / "victim"
        victim.write_text(json.dumps({"edge": "e", "instances": []}))
        (self.folder / "edge.new").symlink_to("victim")
        before = victim.read_text()
        self.assertNotEqual(self.state().edge_id, "e")
        self.assertEqual(victim.read_text(), before)
        self.file.unlink()
        self.file.symlink_to("victim")
        self.assertRaises(UsageError, self.state)
        self.assertEqual(victim.read_text(), before)

    def test_newer(self) -> None:
        """
        A file that a newer version has written in another form is not taken for ours, and not
        changed; one without a version is.
        """
        self.state().save([INSTANCE])
        content = json.loads(self.file.read_text())
        del content["version"]
        self.file.write_text(json.dumps(content))
        self.assertEqual(self.state().instances, [INSTANCE])
        newer = json.dumps({**content, "version": 2})
        self.file.write_text(newer)
        error = self.assertRaises(UsageError, self.state)
        self.assertIn("a newer brxy has written the state (version 2", str(error))
        self.assertEqual(self.file.read_text(), newer)

    def test_given(self) -> None:
        """
        What another edge hands on takes the place of the file.
        """
        first = self.state()
        first.save([INSTANCE])
        given = StateFile(str(self.folder), first.content([], [CAPACITY]))
        self.assertEqual((given.edge_id, given.key), (first.edge_id, first.key))
        self.assertEqual((given.instances, given.capacities), ([], [CAPACITY]))
        self.assertEqual(self.state().instances, [])

    def test_foreign(self) -> None:
        """
        What another user has written there is not believed.
        """
        if os.geteuid() != 0:
            raise SkipTest("needs to be root")
        self.state()
        os.chown(self.file, 1, -1)
        error = self.assertRaises(UsageError, self.state)
        self.assertIn("not written by an edge of this user", str(error))

    def test_leftOver(self) -> None:
        """
        A file that was being written when an edge was killed does no harm.
        """
        self.folder.mkdir()
        (self.folder / "edge.new").write_text("{")
        self.assertEqual(self.state().edge_id, self.state().edge_id)

    def test_nested(self) -> None:
        """
        Folders are made as needed.
        """
        self.folder = self.folder / "a" / "b"
        self.state()
        self.assertTrue(self.file.exists())

    def test_whole(self) -> None:
        """
        A file that was not written to its end is never seen: what is there
        stays until the new one is whole.
        """
        first = self.state()
        first.save([INSTANCE])
        inode = self.file.stat().st_ino
        with self.file.open() as old:
            first.save([])
            self.assertIn("t1", old.read())
        self.assertNotEqual(self.file.stat().st_ino, inode)
        # What a crash left behind does not matter.
        (self.folder / "edge.new").write_text('{"edge": "x", "inst')
        self.assertEqual(self.state().edge_id, first.edge_id)

    def test_snapshot(self) -> None:
        """
        What a scaler takes down can be remembered and restored.
        """
        edge = FakeEdge()
        edge.start(edge.hold()[0])
        edge.dial(node_id="came by itself")
        snapshot = edge.scaler.restarts.records()
        self.assertEqual(len(snapshot), 2)
        self.state().save(snapshot)
        self.assertEqual(self.state().instances, snapshot)
        FakeEdge().scaler.restarts.restore(self.state().instances, 0.0)

    def test_capacities(self) -> None:
        """
        What was learned of capacities can be remembered and restored.  Older files have
        nothing of the kind.
        """
        edge = FakeEdge([Rule(None, 10, AUTO)])
        instance = edge.start(edge.hold()[0])
        edge.serve(instance)
        edge.full(instance)
        records = edge.scaler.restarts.capacities.records()
        self.assertEqual(len(records), 1)
        self.state().save([], records)
        # An edge writes the file once when it has read it.
        self.assertEqual([self.state().capacities for _ in range(2)], [records, records])
        after = FakeEdge()
        after.scaler.restarts.capacities.restore(self.state().capacities)
        self.assertEqual(after.scaler.restarts.capacities.records(), records)
        older = json.loads(self.file.read_text())
        del older["capacities"]
        self.file.write_text(json.dumps(older))
        self.assertEqual(self.state().capacities, [])

    def test_strange(self) -> None:
        """
        A file that no edge has written is not overwritten: one line says so.
        """
        self.state()
        for text in (
            "",
            "hello",
            "[]",
            "{}",
            '{"edge": "e"}',
            '{"edge": "e", "instances": 1}',
            '{"edge": "e", "instances": {"a": 1}}',
            '{"edge": "e", "instances": [1]}',
            '{"edge": "e", "instances": [{"ticket": "t"}]}',
            '{"edge": "e", "instances": [{}]}',
            json.dumps({"edge": "e", "instances": [INSTANCE | {"capacity": "1"}]}),
            json.dumps({"edge": "e", "instances": [INSTANCE, INSTANCE | {"state": 1}]}),
            '{"edge": "e", "key": "00", "instances": []}',
            '{"edge": "e", "key": "x", "instances": []}',
            '{"edge": "e", "key": 1, "instances": []}',
            *(
                json.dumps({"edge": "e", "instances": [], "capacities": capacities})
                for capacities in (
                    1,
                    [1],
                    ["abc"],
                    [["s", "r"]],
                    [["s", "r", 1, 1]],
                    [["s", 1, 1]],
                    [[None, "r", 1]],
                    [["s", "r", "1"]],
                    [["s", "r", True]],
                    [["s", "r", 0]],
                    [["s", "r", 10001]],
                    [["s", "r", 1], ["s", "r", 1.5]],
                )
            ),
            "\xff",
        ):
            self.file.write_text(text, "latin-1")
            error = self.assertRaises(UsageError, self.state)
            self.assertIn(str(self.file), str(error))
            self.assertNotIn("\n", str(error))
            self.assertEqual(self.file.read_text("latin-1"), text)

    def test_unusable(self) -> None:
        """
        A folder that can't be used is a fault of the command line.
        """
        self.folder.write_text("a file")
        error = self.assertRaises(UsageError, self.state)
        self.assertTrue(str(error).startswith(f"--state-dir {self.folder}: "))
        self.folder = self.folder / "below"
        self.assertRaises(UsageError, self.state)

    def test_fullAtStart(self) -> None:
        """
        What is there is used although it can't be written.  A new edge does not start
        without a file: it would lose its key.
        """
        self.folder.mkdir()
        (self.folder / "edge.new").mkdir()
        error = self.assertRaises(UsageError, self.state)
        self.assertTrue(str(error).startswith(f"--state-dir {self.folder}: "))
        (self.folder / "edge.new").rmdir()
        first = self.state()
        self.assertFalse(first.unsaved)
        first.save([INSTANCE])
        (self.folder / "edge.new").mkdir()
        second = self.state()
        self.assertTrue(second.unsaved)
        self.assertEqual((second.edge_id, second.key), (first.edge_id, first.key))
        self.assertEqual(second.instances, [INSTANCE])
        (self.folder / "edge.new").rmdir()
        second.save([])
        self.assertFalse(second.unsaved)

    def test_full(self) -> None:
        """
        A failure to save is the caller's to report, and what was saved before
        stays.
        """
        state = self.state()
        state.save([INSTANCE])
        os.mkdir(self.folder / "edge.new")
        self.assertRaises(OSError, state.save, [])
        os.rmdir(self.folder / "edge.new")
        self.assertEqual(self.state().instances, [INSTANCE])


class KeeperTests(SynchronousTestCase):
    """
    Tests of L{StateKeeper}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.clock = Clock()
        self.snapshots = 0
        self.emitted: list[Event] = []

    def snapshot(self) -> list[dict[str, Any]]:
        self.snapshots += 1
        return [INSTANCE]

    def keeper(self, folder: str | None) -> StateKeeper:
        return StateKeeper(
            self.clock,
            StateFile(folder),
            self.snapshot,
            lambda: [CAPACITY],
            Events([self.emitted.append]),
        )

    def remembered(self) -> list[dict[str, Any]]:
        return StateFile(str(self.folder)).instances

    def test_once(self) -> None:
        """
        Two changes in one turn are written together, in the next turn.
        """
        keeper = self.keeper(str(self.folder))
        keeper.changed()
        keeper.changed()
        self.assertEqual(self.snapshots, 0)
        self.clock.advance(0)
        self.assertEqual(self.snapshots, 1)
        self.assertEqual(self.remembered(), [INSTANCE])
        self.assertEqual(StateFile(str(self.folder)).capacities, [CAPACITY])

    def test_again(self) -> None:
        """
        A change after the file was written is written, too.
        """
        keeper = self.keeper(str(self.folder))
        for _ in range(2):
            keeper.changed()
            self.clock.advance(0)
        self.assertEqual(self.snapshots, 2)

    def test_stop(self) -> None:
        """
        A change that is not written yet is written when the edge stops.
        """
        keeper = self.keeper(str(self.folder))
        keeper.changed()
        keeper.stop()
        self.assertEqual(self.remembered(), [INSTANCE])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopUnchanged(self) -> None:
        """
        Without a change nothing is written when the edge stops.
        """
        self.keeper(str(self.folder)).stop()
        self.assertEqual(self.snapshots, 0)

    def test_noFolder(self) -> None:
        """
        Without a folder no snapshot is made.
        """
        keeper = self.keeper(None)
        keeper.changed()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        keeper.stop()
        self.assertEqual(self.snapshots, 0)

    def test_notSaved(self) -> None:
        """
        A file that can't be written is reported; the edge goes on.
        """
        keeper = self.keeper(str(self.folder))
        # A folder in its place can't be removed as a left-over file is.
        (self.folder / "edge.new").mkdir()
        keeper.changed()
        self.clock.advance(0)
        self.assertEqual([type(each) for each in self.emitted], [StateNotSaved])

    def test_retried(self) -> None:
        """
        It is written when that is possible again.  Until then there is one event.
        """
        keeper = self.keeper(str(self.folder))
        (self.folder / "edge.new").mkdir()
        keeper.changed()
        self.clock.advance(0)
        keeper.changed()
        for _ in range(3):
            self.clock.advance(RETRY)
        self.assertEqual(len(self.emitted), 1)
        (self.folder / "edge.new").rmdir()
        self.clock.advance(RETRY)
        self.assertEqual(self.remembered(), [INSTANCE])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        # The next failure is reported again.
        (self.folder / "edge.new").mkdir()
        keeper.changed()
        self.clock.advance(0)
        self.assertEqual(len(self.emitted), 2)
        keeper.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_unsaved(self) -> None:
        """
        A file that could be read but not written at the start is written later.
        """
        StateFile(str(self.folder))
        (self.folder / "edge.new").mkdir()
        keeper = self.keeper(str(self.folder))
        keeper.start()
        self.clock.advance(0)
        self.assertEqual([type(each) for each in self.emitted], [StateNotSaved])
        (self.folder / "edge.new").rmdir()
        self.clock.advance(RETRY)
        self.assertEqual(self.remembered(), [INSTANCE])

    def test_saved(self) -> None:
        """
        At other starts there is nothing to write.
        """
        self.keeper(str(self.folder)).start()
        self.assertEqual(self.clock.getDelayedCalls(), [])
