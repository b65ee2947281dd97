"""
Asking spawners for what an earlier run of the edge has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.edge.instance import Instance
from brxy.interfaces import IInstance, IRecovering, SpawnOrder

__all__ = ["LIMIT", "Recovery"]

# A spawner gets so long (seconds) to find what is left.
LIMIT = 30.0


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
