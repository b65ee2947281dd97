"""
Asking spawners for what an earlier run of the edge has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.interfaces import IInstance, IRecovering, SpawnOrder
from brxy.scaler.instance import Instance
from brxy.scaler.rules import Rule, ruleOf

__all__ = ["LIMIT", "Recovery", "warnOfUnclaimed"]

_log = Logger()

# A spawner gets so long (seconds) to find what is left.
LIMIT = 30.0


def warnOfUnclaimed(
    records: Iterable[Mapping[str, Any]], rules: Sequence[Rule], edge_id: str
) -> None:
    """
    Say what an earlier run has left whose C{--spawn} there is no more.

    @param records: what was remembered.
    """
    left: dict[str, list[str]] = {}
    for record in records:
        if record.get("spawner") and ruleOf(record, rules) is None:
            names = left.setdefault(record["spawner"], [])
            names.append(f"{record['route']}/{record['ticket']}")
    for spawner, names in left.items():
        _log.warn(
            "no --spawn is {spawner} any more, which has left {names}: nodes among them may "
            "dial in, and go when they are idle; what else is marked with {id} stays until you "
            "remove it, or stop an edge that has that --spawn again",
            spawner=spawner,
            names=", ".join(names),
            id=edge_id,
        )


class Recovery:
    """
    One spawner is asked, once.

    @ivar over: fires when it has answered, or is not waited for any longer:
        with what it found, by ticket, or L{None} if that is not known.
    @ivar waiting: what was ordered of it meanwhile, in order.
    """

    _log = Logger()

    def __init__(self) -> None:
        self.over: Deferred[Mapping[str, IInstance] | None] = Deferred()
        self.waiting: dict[Instance, None] = {}

    def ask(
        self, spawner: IRecovering, edge: str, orders: Sequence[SpawnOrder], clock: Any
    ) -> None:
        """
        Ask it.
        """
        asked = maybeDeferred(spawner.recover, edge, orders)
        asked.addTimeout(LIMIT, clock)
        asked.addCallback(dict)
        asked.addErrback(self._failed, type(spawner).__name__)
        asked.addCallback(self.over.callback)

    def _failed(self, failure: Failure, who: str) -> None:
        why = f"no answer within {LIMIT:g} s"
        if not failure.check(TimeoutError):
            why = " ".join(f"{type(failure.value).__name__}: {failure.getErrorMessage()}".split())
        self._log.warn("{who} can't tell what an earlier run has left: {why}", who=who, why=why)
