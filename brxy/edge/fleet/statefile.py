"""
The state file: what an edge remembers over a restart.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes
from types import NoneType
from typing import Any
from uuid import uuid4

from twisted.internet.interfaces import IDelayedCall

from brxy.edge.events import Events, StateNotSaved
from brxy.errors import UsageError
from brxy.wire.frames import MAX_CAPACITY

__all__ = ["RETRY", "StateFile", "StateKeeper"]

# Seconds until the file is written again after a failure.
RETRY = 10.0

# Of the file.  A file of a higher one is not read.
_VERSION = 1

# Bytes of the key: as many as the digest has.
_KEY_SIZE = 32

# The record of an instance.  Older files have no C{spawner}.
_RECORD: dict[str, tuple[type, ...]] = {
    "ticket": (str,),
    "node_id": (str, NoneType),
    "route": (str,),
    "capacity": (int,),
    "generation": (int,),
    "adopted": (bool,),
    "spawner": (str, NoneType),
}

# A capacity that was learned: of the instances of a spawn for a route.
_CAPACITY = (str, str, int)


def _isRecord(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() | {"spawner"} == _RECORD.keys()
        and all(type(value.get(key)) in kinds for key, kinds in _RECORD.items())
    )


def _isCapacity(value: object) -> bool:
    return (
        isinstance(value, list)
        and tuple(map(type, value)) == _CAPACITY
        and 0 < value[2] <= MAX_CAPACITY
    )


def _read(path: Path) -> str:
    """
    Read the state file.

    @raise OSError: it can't be read, or is a link.
    @raise ValueError: another user owns it, or it is not text.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_uid != os.geteuid():
            raise ValueError
        return file.read()


class StateFile:
    """
    The edge's name, key, instances and learned capacities, in a folder that only its user
    can read.

    @param folder: where; L{None}: nothing is remembered.
    @ivar edge_id: the name of this edge.
    @ivar key: its secret, from which the tokens of what it spawns are made.
    @ivar instances: what was alive when the edge last wrote, as
            L{brxy.scaler.restarts.Restarts.records} gave it.
    @ivar capacities: what was learned then, as
            L{brxy.scaler.learned.Capacities.records} gave it.
    @ivar unsaved: the file could be read but not written, as on a full disk.
    @raise UsageError: the folder or the file can't be used.
    """

    def __init__(self, folder: str | None, given: Mapping[str, Any] | None = None) -> None:
        """
        @param given: the content of the file, from an edge that hands it on.
        """
        self.edge_id = uuid4().hex
        self.key = token_bytes(_KEY_SIZE)
        self.instances: list[dict[str, Any]] = []
        self.capacities: list[list[Any]] = []
        self.unsaved = False
        if given is not None:
            self._take(given)
        self._path: Path | None = None
        if folder is not None:
            try:
                os.makedirs(folder, mode=0o700, exist_ok=True)
                # twistd's --rundir takes effect later.
                self._path = Path(os.path.abspath(folder)) / "edge.json"
                known = given is not None or self._load(self._path)
                self._saveFirst(known)
            except OSError as error:
                raise UsageError(f"--state-dir {folder}: {error.strerror or error}") from None

    def _saveFirst(self, known: bool) -> None:
        try:
            self.save(self.instances, self.capacities)
        except OSError:
            # A new edge must be able to keep its id and key: without them the next one could
            # find nothing of what this one starts.
            if not known:
                raise
            self.unsaved = True

    @property
    def is_kept(self) -> bool:
        """
        Whether there is a folder, so that something is remembered.
        """
        return self._path is not None

    def _load(self, path: Path) -> bool:
        """
        @return: whether there was a file.
        """
        try:
            self._take(json.loads(_read(path)))
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            raise UsageError(
                f"{path}: not written by an edge of this user; remove it to start anew"
            ) from None
        return True

    def _take(self, state: Mapping[str, Any]) -> None:
        """
        @raise UsageError: a newer version has written it.
        @raise ValueError: no edge has.
        """
        edge = str(state["edge"])
        # Older files have no version, no key, and no capacities.
        version = state.get("version", _VERSION)
        if type(version) is int and version > _VERSION:
            raise UsageError(
                f"a newer brxy has written the state (version {version}, and this one knows "
                f"{_VERSION}): run that brxy, or remove edge.json to start anew"
            )
        self.edge_id, self.instances = edge, list(state["instances"])
        self.key = bytes.fromhex(state.get("key", self.key.hex()))
        self.capacities = list(state.get("capacities", []))
        if not all(map(_isRecord, self.instances)) or len(self.key) != _KEY_SIZE:
            raise ValueError
        if not all(map(_isCapacity, self.capacities)):
            raise ValueError

    def content(
        self, instances: list[dict[str, Any]], capacities: Sequence[list[Any]]
    ) -> dict[str, Any]:
        """
        The content of the file with these instances and capacities.
        """
        return {
            "version": _VERSION,
            "edge": self.edge_id,
            "key": self.key.hex(),
            "instances": instances,
            "capacities": capacities,
        }

    def save(self, instances: list[dict[str, Any]], capacities: Sequence[list[Any]] = ()) -> None:
        """
        Write these instances and capacities to the file.  A reader sees the old file or the
        new one, never a part of one.

        @raise OSError: it can't be written.
        """
        if self._path is None:
            return
        temporary = self._path.with_suffix(".new")
        # Never write to a file that is left over, or that another user has put there.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                json.dump(self.content(instances, capacities), file)
            os.replace(temporary, self._path)
        except OSError:
            # On a full disk, even an empty file takes room.
            with suppress(OSError):
                temporary.unlink()
            raise
        self.unsaved = False


class StateKeeper:
    """
    Writes the state file after instances or capacities have changed: once in a turn of the
    reactor, however many of them change in it.  If that fails, it tries again every L{RETRY}
    seconds.
    """

    def __init__(
        self,
        clock: Any,
        file: StateFile,
        snapshot: Callable[[], list[dict[str, Any]]],
        capacities: Callable[[], list[list[Any]]],
        events: Events,
    ) -> None:
        """
        @param snapshot: returns the instances to remember.
        @param capacities: returns the capacities to remember.
        """
        self._clock = clock
        self._file = file
        self._snapshot = snapshot
        self._capacities = capacities
        self._events = events
        self._failing = False
        self._saving: IDelayedCall | None = None
        self._follower: Callable[[], object] | None = None

    def withhold(self, follower: Callable[[], object]) -> None:
        """
        Write nothing: another edge does.

        @param follower: called instead when something has changed.
        """
        self.stop()
        self._follower = follower

    def goOn(self) -> None:
        """
        Write again.
        """
        self._follower = None
        self.changed()

    def start(self) -> None:
        """
        Write what could not be written when the file was read.
        """
        if self._file.unsaved:
            self.changed()

    def changed(self) -> None:
        """
        Write the file in the next turn.
        """
        if self._follower is not None:
            self._follower()
        elif self._saving is None and self._file.is_kept:
            self._saving = self._clock.callLater(0, self._save)

    def _save(self) -> None:
        self._saving = None
        try:
            self._file.save(self._snapshot(), self._capacities())
        except OSError as error:
            if not self._failing:
                self._events.emit(StateNotSaved(error.strerror or str(error)))
            self._failing = True
            self._saving = self._clock.callLater(RETRY, self._save)
        else:
            self._failing = False

    def stop(self) -> None:
        """
        Write now what was to be written later.
        """
        if self._saving is not None:
            self._saving.cancel()
            self._save()
        if self._saving is not None:
            self._saving.cancel()
            self._saving = None
