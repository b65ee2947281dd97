"""
What the slots of a node say to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from brxy.errors import BrxyError
from brxy.wire.greeting import Hello, Welcome

if TYPE_CHECKING:
    from brxy.node.slot import EdgeSlot

__all__ = ["NotWelcome", "Owner"]


class NotWelcome(BrxyError):
    """
    The edge did not let us in, or the slot was lost before it did.
    """


class Owner(Protocol):
    """
    The node, as its slots see it.
    """

    def hello(self) -> Hello: ...

    def welcomed(self, slot: EdgeSlot, welcome: Welcome) -> None: ...

    def began(self) -> None: ...

    def finished(self) -> None: ...

    def rest(self, slot: EdgeSlot) -> None: ...

    def setNewest(self, newest: bool) -> None: ...

    def retire(self) -> None: ...
