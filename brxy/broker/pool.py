"""
The ready slots of one route, best instance first.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, TypeVar

from brxy.broker.offer import Offer, Slot

__all__ = ["Pool"]

S = TypeVar("S", bound=Slot)

# Sorts as instances do: place, most in flight, ticket.
_Entry = tuple[int, int, str, Offer]


class Pool(Generic[S]):
    """
    The instances of one route that offer slots, in a heap.

    What changes an instance's place rarely touches the heap: its best entry
    may stand better than it deserves, never worse, and is put right when it
    comes to the top.  That holds because the exchanges in flight of an
    instance rise only by L{take}, at the top, as long as its pool exists; an
    entry that is alone is put right when it gets company.  Entries that are
    left over are dropped at the top too, or when more than half are such.

    @ivar offering: how many instances have a ready slot and are not suspended.
    """

    __slots__ = ("_heap", "offering")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self.offering = 0

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, offer: Offer) -> None:
        """
        An instance offers slots that did not.
        """
        self.offering += 1
        heap = self._heap
        if len(heap) == 1:
            heap[0] = _entry(heap[0][3])
        heappush(heap, _entry(offer))

    def leave(self) -> None:
        """
        An instance offers slots no longer, though none was taken.
        """
        self.offering -= 1
        if len(self._heap) > 2 * self.offering:
            offers = {entry[3] for entry in self._heap if _offers(entry[3])}
            self._heap = [_entry(offer) for offer in offers]
            heapify(self._heap)

    def take(self) -> S:
        """
        The best slot, of those of its instance the last that became ready;
        its instance has one more in flight.  There must be one.
        """
        heap = self._heap
        alone = len(heap) == 1
        offer = heap[0][3] if alone else self._best()
        slot: S = offer.ready.popitem()[0]
        offer.in_flight += 1
        if not offer.ready:
            heappop(heap)
            self.offering -= 1
        elif not alone and -heap[0][1] < offer.in_flight:
            # It is the best and has become better, so the top is its place.
            heap[0] = _entry(offer)
        return slot

    def _best(self) -> Offer:
        heap = self._heap
        while True:
            entry = heap[0]
            offer = entry[3]
            if not _offers(offer):
                heappop(heap)
            elif -entry[1] == offer.in_flight:
                return offer
            else:
                heapreplace(heap, _entry(offer))


def _entry(offer: Offer) -> _Entry:
    return (offer.place, -offer.in_flight, offer.ticket, offer)


def _offers(offer: Offer) -> bool:
    return bool(offer.ready) and not offer.suspended
