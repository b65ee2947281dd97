"""
How many slots of an instance pull.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

__all__ = ["Slot", "pull"]


class Slot(Protocol):
    """
    A slot of an instance, as it is needed here.
    """

    @property
    def pulling(self) -> bool:
        """
        It takes exchanges, one after another.
        """

    def isBetweenExchanges(self) -> bool:
        """
        Whether it carries no exchange.
        """

    def ready(self) -> None:
        """
        Pull.
        """

    def unready(self) -> None:
        """
        Take no more exchanges.
        """


def pull(slots: Iterable[Slot], number: int) -> None:
    """
    Have this number of slots pull, if there are enough.

    @param slots: those that can.
    """
    pulling: list[Slot] = []
    others: list[Slot] = []
    for slot in slots:
        (pulling if slot.pulling else others).append(slot)
    for slot in others[: max(0, number - len(pulling))]:
        slot.ready()
    # Those that carry no exchange first: the others go on pulling until theirs is over.
    pulling.sort(key=lambda slot: not slot.isBetweenExchanges())
    for slot in pulling[: max(0, len(pulling) - number)]:
        slot.unready()
