"""
What the edge can say to an instance, wherever it runs.
"""

from __future__ import annotations

from typing import Protocol

from brxy.edge.slots.nodeend import NodeEnd
from brxy.wire.frames import FLAGS, GOAWAY, NEWEST, RETIRE

__all__ = ["NodeReach", "Reach"]


class Reach(Protocol):
    """
    What the edge can say to an instance, wherever it runs.
    """

    @property
    def pulling(self) -> bool:
        """
        It still takes exchanges.
        """

    def setNewest(self, newest: bool) -> None: ...

    def retire(self) -> None: ...

    def goAway(self) -> None: ...

    def close(self) -> None: ...


class NodeReach:
    """
    An instance behind a node: what it is told goes over its slots.

    @ivar slots: those it has open.
    @ivar spawned: it was started for an edge's order.
    """

    def __init__(self, spawned: bool) -> None:
        self.slots: set[NodeEnd] = set()
        self.spawned = spawned

    @property
    def pulling(self) -> bool:
        """
        It still takes exchanges.
        """
        return any(slot.pulling for slot in self.slots)

    def setNewest(self, newest: bool) -> None:
        """
        There is a newer instance of its route, or none.
        """
        self._tell(NEWEST, FLAGS[newest])

    def retire(self) -> None:
        """
        Drain and go.
        """
        self._tell(RETIRE)

    def goAway(self) -> None:
        """
        This edge leaves: finish, then dial again.
        """
        self._tell(GOAWAY)

    def close(self) -> None:
        """
        It is gone, and so are its slots.
        """
        for slot in list(self.slots):
            slot.letGo()

    def _tell(self, kind: int, payload: bytes = b"") -> None:
        # On all of them: any one may be stuck behind data that nobody reads.
        for slot in self.slots:
            slot.tell(kind, payload)
