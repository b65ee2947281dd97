"""
What the edge can send to an instance, wherever the instance runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from brxy.broker.offer import Offer
from brxy.scaler.instance import Instance
from brxy.wire.frames import FLAGS, GOAWAY, NEWEST, RETIRE

__all__ = ["Greeted", "NodeReach", "Reach"]


class Reach(Protocol):
    """
    What the edge can send to an instance, wherever the instance runs.
    """

    @property
    def pulling(self) -> bool:
        """
        At least one of its slots takes exchanges.
        """

    def setNewest(self, newest: bool) -> None: ...

    def retire(self) -> None: ...

    def goAway(self) -> None: ...

    def close(self) -> None: ...


class Greeted(Protocol):
    """
    A node's slot, from its HELLO on.

    @ivar instance: the instance behind it; set when HELLO is accepted.
    @ivar offer: what the instance offers; set then, too.
    """

    instance: Instance
    offer: Offer

    @property
    def pulling(self) -> bool:
        """
        Its READY stands: it takes exchanges.
        """

    def named(self) -> Callable[[str], bool] | None: ...

    def sendFrame(self, kind: int, payload: bytes = b"") -> None: ...

    def letGo(self) -> None: ...


class NodeReach:
    """
    An instance behind a node: what is sent to it goes over its slots.

    @ivar slots: those it has open.
    @ivar spawned: it was started for an edge's order.
    """

    def __init__(self, spawned: bool) -> None:
        self.slots: set[Greeted] = set()
        self.spawned = spawned

    @property
    def pulling(self) -> bool:
        """
        See L{Reach}.
        """
        return any(slot.pulling for slot in self.slots)

    def setNewest(self, newest: bool) -> None:
        """
        Whether it is the newest instance of its route.
        """
        self._tell(NEWEST, FLAGS[newest])

    def retire(self) -> None:
        """
        Drain and end.
        """
        self._tell(RETIRE)

    def goAway(self) -> None:
        """
        This edge is stopping: finish, then dial again.
        """
        self._tell(GOAWAY)

    def close(self) -> None:
        """
        The instance is gone, and so are its slots.
        """
        for slot in list(self.slots):
            slot.letGo()

    def _tell(self, kind: int, payload: bytes = b"") -> None:
        # On every slot: any one may be stuck behind data that the node does not read.
        for slot in self.slots:
            slot.sendFrame(kind, payload)
