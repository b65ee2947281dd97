"""
Finding, through spawners, what an earlier run of the edge has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.python.failure import Failure

from brxy.edge.events import Events, RecoveryFailed, Unclaimed
from brxy.interfaces import IInstance, IRecovering, SpawnOrder
from brxy.scaler.instance import Instance
from brxy.scaler.rules import Rule, byName, ruleOf

__all__ = ["LIMIT", "Recovery", "labelOf", "reportUnclaimed"]

# A spawner gets this long (seconds) to find what is left.
LIMIT = 30.0


def reportUnclaimed(
    records: Iterable[Mapping[str, Any]], rules: Iterable[Rule], edge_id: str, events: Events
) -> None:
    """
    Report the instances of an earlier run whose spawn is no longer configured.

    @param records: the instances, as the state file has them.
    """
    named = byName(rules)
    left: dict[str, list[str]] = {}
    for record in records:
        if record.get("spawner") and ruleOf(record, named) is None:
            names = left.setdefault(record["spawner"], [])
            names.append(f"{record['route']}/{record['ticket']}")
    for spawner, names in left.items():
        events.emit(Unclaimed(spawner, names, labelOf(edge_id, spawner)))


def labelOf(edge_id: str, spawn: str) -> str:
    """
    The label of what an edge starts for one of its spawns.
    """
    return f"{edge_id}-{spawn}"


class Recovery:
    """
    The search for what one spawn has left.

    @ivar over: fires when the spawner has answered, or its time is over: with the
        instances that it found, by ticket, or L{None} if they are not known.
    @ivar waiting: the orders of this spawn that came meanwhile, in order.
    """

    def __init__(self, spawn: str, events: Events) -> None:
        self._spawn = spawn
        self._events = events
        self.over: Deferred[Mapping[str, IInstance] | None] = Deferred()
        self.waiting: dict[Instance, None] = {}

    def begin(
        self, spawner: IRecovering, edge: str, orders: Sequence[SpawnOrder], clock: Any
    ) -> None:
        """
        Begin to search.
        """
        asked = maybeDeferred(spawner.recover, edge, orders)
        asked.addTimeout(LIMIT, clock)
        asked.addCallback(dict)
        asked.addErrback(self._failed)
        asked.addCallback(self.over.callback)

    def _failed(self, failure: Failure) -> None:
        why = f"no answer within {LIMIT:g} s"
        if not failure.check(TimeoutError):
            why = " ".join(f"{type(failure.value).__name__}: {failure.getErrorMessage()}".split())
        self._events.emit(RecoveryFailed(self._spawn, why))
