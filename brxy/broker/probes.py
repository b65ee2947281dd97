"""
The waiters of one route that are probed.

Pure: a data structure.
"""

from __future__ import annotations

from bisect import insort
from typing import Generic

from brxy.broker.decisions import S, W, Waiter
from brxy.broker.offer import Offer

__all__ = ["Probes"]


class Probes(Generic[W, S]):
    """
    The waiters of one route that are probed.

    There are few: about one for each instance of the route.  A waiter whose probe was
    recalled, or is over, is not held, but remains until it is known what becomes of it.

    @ivar held: the waiters that are held, in order of arrival.
    """

    __slots__ = ("_recalled", "_slots", "_standing", "_waiters", "held")

    def __init__(self) -> None:
        self.held: list[W] = []
        self._slots: dict[W, S] = {}
        self._waiters: dict[S, W] = {}
        self._standing: set[W] = set()
        self._recalled: set[W] = set()

    def __len__(self) -> int:
        return len(self._slots)

    def __contains__(self, waiter: object) -> bool:
        return waiter in self._slots

    def add(self, waiter: W, slot: S) -> None:
        """
        A waiter is probed on a slot.
        """
        waiter.held = True
        insort(self.held, waiter, key=_number)
        self._slots[waiter] = slot
        self._waiters[slot] = waiter

    def release(self, waiter: W) -> None:
        """
        A waiter is held no longer.
        """
        waiter.held = False
        self.held.remove(waiter)

    def recall(self, waiter: W) -> None:
        """
        The probe of a waiter is recalled.
        """
        self._recalled.add(waiter)

    def remove(self, waiter: W) -> None:
        """
        A waiter that is not held is not probed any more.
        """
        slot = self._slots.pop(waiter)
        # The slot may have the probe of another one already.
        if self._waiters.get(slot) is waiter:
            del self._waiters[slot]
        self._standing.discard(waiter)
        self._recalled.discard(waiter)

    def slot(self, waiter: W) -> S:
        """
        The slot on which a waiter is probed.
        """
        return self._slots[waiter]

    def on(self, slot: S) -> W | None:
        """
        The waiter that is probed on a slot, whether it is held or not.
        """
        return self._waiters.get(slot)

    @property
    def recalling(self) -> bool:
        """
        It is not known yet what becomes of a probe that was recalled.
        """
        return bool(self._recalled)

    def isRecalled(self, slot: S) -> bool:
        """
        @return: whether the probe on a slot has been recalled.
        """
        return self._waiters.get(slot) in self._recalled

    def hasLapsed(self, slot: S) -> bool:
        """
        @return: whether the probe on a slot is over, and was not recalled.
        """
        waiter = self._waiters.get(slot)
        return waiter is not None and not waiter.held and waiter not in self._recalled

    def stand(self, waiter: W) -> None:
        """
        A waiter has been probed for some time.
        """
        self._standing.add(waiter)

    def oldest(self, elsewhere: Offer, *, standing: bool) -> W | None:
        """
        The first waiter that is held and probed on another instance, if there is no room for
        it meanwhile.

        @param elsewhere: that of the instance which does not count.
        @param standing: only those that have been probed for some time count.
        """
        for waiter in self.held:
            if standing and waiter not in self._standing:
                continue
            offer = self._slots[waiter].offer
            if offer is not elsewhere and offer.in_flight > offer.capacity:
                return waiter
        return None


def _number(waiter: Waiter) -> int:
    return waiter.number
