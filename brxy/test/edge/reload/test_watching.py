"""
Tests of when a change of files causes a reload.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Event, Events
from brxy.edge.reload.watching import PAUSE, Watching
from brxy.edge.startstop import CannotWatch


class _Reactor(Clock):
    """
    A clock that has its readers read before its time goes on.
    """

    def __init__(self) -> None:
        super().__init__()
        self._readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """
        As a reactor.
        """
        self._readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """
        As a reactor.
        """
        self._readers.remove(reader)

    def advance(self, amount: float) -> None:
        """
        See L{Clock}.
        """
        for each in self._readers:
            each.doRead()
        super().advance(amount)


class WatchingTests(SynchronousTestCase):
    """
    Tests of L{Watching}, with real folders.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = _Reactor()
        self.happened: list[Event] = []
        self.reloads = 0
        self.settings = EdgeSettings(ports=[])
        self.watching = self.make({str(self.folder): frozenset({"brxy.toml", "a*.toml"})})

    def make(self, places: dict[str, frozenset[str]]) -> Watching:
        """
        Make one and start it.
        """
        self.settings = evolve(self.settings, watched=places)
        watching = Watching(self.clock, self, Events([self.happened.append]))
        watching.start()
        self.addCleanup(watching.stop)
        return watching

    def reload(self) -> Deferred[Any]:
        """
        As L{brxy.edge.reload.reloader.Reloader}.
        """
        self.reloads += 1
        return succeed(None)

    def follow(self, follower: Callable[[EdgeSettings], object]) -> None:
        """
        Likewise.
        """
        self.use_settings = follower

    def use(self, *folders: Path) -> None:
        """
        Have any change in these folders matter.
        """
        places = {str(each): frozenset("*") for each in folders}
        self.use_settings(evolve(self.settings, watched=places))

    def change(self, name: str) -> None:
        """
        Write a file.
        """
        (self.folder / name).write_text("x")

    def test_once(self) -> None:
        """
        There is one reload for changes that follow each other, half a second after the last.
        """
        self.assertEqual(PAUSE, 0.5)
        for name in ("brxy.toml", "a1.toml", "a2.toml"):
            self.change(name)
            self.clock.advance(0.4)
            self.assertEqual(self.reloads, 0)
        self.clock.advance(0.2)
        self.assertEqual(self.reloads, 1)
        self.clock.advance(10)
        self.assertEqual(self.reloads, 1)
        self.change("a1.toml")
        self.clock.advance(0.1)
        self.clock.advance(0.5)
        self.assertEqual(self.reloads, 2)

    def test_others(self) -> None:
        """
        Other files in the folder don't matter, such as those of editors.
        """
        for name in (".brxy.toml.swp", "4913", "brxy.toml~", "state.json"):
            self.change(name)
        self.clock.advance(10)
        self.clock.advance(10)
        self.assertEqual(self.reloads, 0)

    def test_replaced(self) -> None:
        """
        A folder that is replaced by another one of its name is watched again.
        """
        self.folder.rename(self.folder.with_name("old"))
        self.folder.mkdir()
        self.clock.advance(0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 1)
        self.change("brxy.toml")
        self.clock.advance(0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 2)

    def test_settings(self) -> None:
        """
        Other settings may name other folders, or none.  What has changed in one before it was
        watched is read once more.
        """
        other = self.folder / "other"
        other.mkdir()
        self.use(self.folder, other)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 1)
        self.use(self.folder, other)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 1)
        (other / "x").touch()
        self.clock.advance(0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 2)
        self.use()
        (other / "y").touch()
        self.change("brxy.toml")
        self.clock.advance(0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 2)

    def test_stopped(self) -> None:
        """
        After the end nothing is read, also not what was due.
        """
        self.change("brxy.toml")
        self.clock.advance(0)
        self.watching.stop()
        self.use(self.folder)
        self.clock.advance(10)
        self.assertEqual((self.reloads, self.clock.getDelayedCalls()), (0, []))

    def test_missing(self) -> None:
        """
        A folder that can't be watched is reported, and others are watched.
        """
        missing = str(self.folder / "missing")
        self.make({missing: frozenset("*"), str(self.folder): frozenset("*")})
        self.assertEqual(self.happened, [CannotWatch(missing, "No such file or directory")])
        self.change("x")
        self.clock.advance(0)
        self.clock.advance(PAUSE)
        self.assertEqual(self.reloads, 1)
