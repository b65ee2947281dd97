"""
The ready slots of the routes, best instance first.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import Generic, TypeVar

from brxy.broker.offer import UNLIMITED, Offer, Slot

__all__ = ["Pool", "Pools"]

S = TypeVar("S", bound=Slot)

# Sorts as instances do: below its capacity, place, most in flight, ticket.
_Entry = tuple[bool, int, int, str, Offer]


class Pool(Generic[S]):
    """
    The instances of one route that offer slots, in a heap.

    Instances with fewer exchanges than their capacity come first.

    A change of an instance's place rarely touches the heap: the best entry of an instance
    may be higher than it should be, never lower, and is corrected when it comes to the
    top.  That holds because, as long as the pool exists, the exchanges in flight of an
    instance increase only by L{take}, at the top, and L{improve} is called when they fall
    below the capacity; a single entry is corrected when a second one is added, and from
    then on both instances are watched.  Stale entries are dropped at the top, too, or when
    they are more than half of all.

    @ivar offering: the number of instances that have a ready slot and are not withheld.
    """

    __slots__ = ("_heap", "offering")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self.offering = 0

    def __len__(self) -> int:
        return len(self._heap)

    def enter(self, offer: Offer) -> None:
        """
        An instance begins to offer slots.
        """
        self.offering += 1
        heap = self._heap
        if len(heap) == 1:
            alone = heap[0][4]
            heap[0] = _entry(alone)
            alone.watched = alone.watched or alone.capacity != UNLIMITED
        if heap:
            offer.watched = offer.watched or offer.capacity != UNLIMITED
        heappush(heap, _entry(offer))

    def leave(self) -> None:
        """
        An instance offers slots no longer, and none was taken.
        """
        self.offering -= 1
        self._prune()

    def improve(self, offer: Offer) -> None:
        """
        An instance that offers slots has now fewer exchanges than its capacity.
        """
        if len(self._heap) > 1:
            heappush(self._heap, _entry(offer))
            self._prune()

    def take(self) -> S:
        """
        Take the best slot: of the best instance, the one that became ready last.  There
        must be one.
        """
        heap = self._heap
        alone = len(heap) == 1
        offer = heap[0][4] if alone else self.best()
        slot: S = offer.ready.popitem()[0]
        offer.in_flight += 1
        if not offer.ready:
            heappop(heap)
            self.offering -= 1
        elif not alone:
            if offer.in_flight == offer.capacity:
                heapreplace(heap, _entry(offer))
            else:
                # It was the best and is better now, so it stays at the top.
                heap[0] = _entry(offer)
        return slot

    def best(self) -> Offer:
        """
        The best instance.  There must be one.
        """
        heap = self._heap
        while True:
            entry = heap[0]
            offer = entry[4]
            if not _offers(offer):
                heappop(heap)
            elif -entry[2] == offer.in_flight and entry[0] == offer.full:
                return offer
            else:
                heapreplace(heap, _entry(offer))

    def _prune(self) -> None:
        if len(self._heap) > 2 * self.offering:
            offers = {entry[4] for entry in self._heap if _offers(entry[4])}
            self._heap = [_entry(offer) for offer in offers]
            heapify(self._heap)


class Pools(dict[str, Pool[S]]):
    """
    The pool of each route that has a ready slot.
    """

    def take(self, route: str, pool: Pool[S]) -> S:
        """
        Take the best slot of a route.
        """
        slot = pool.take()
        if not pool.offering:
            del self[route]
        return slot

    def enter(self, offer: Offer) -> None:
        """
        An instance begins to offer slots.
        """
        pool = self.get(offer.route)
        if pool is None:
            pool = self[offer.route] = Pool()
        pool.enter(offer)

    def leave(self, offer: Offer) -> None:
        """
        An instance offers slots no longer, and none was taken.
        """
        pool = self[offer.route]
        pool.leave()
        if not pool.offering:
            del self[offer.route]


def _entry(offer: Offer) -> _Entry:
    return (offer.full, offer.place, -offer.in_flight, offer.ticket, offer)


def _offers(offer: Offer) -> bool:
    return bool(offer.ready) and not offer.withheld
