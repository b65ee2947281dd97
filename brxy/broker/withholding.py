"""
Instances whose slots are not matched, though they are ready.

Pure: decisions are returned.
"""

from __future__ import annotations

from typing import Generic

from brxy.broker.decisions import Match, Probe, Recall, S, W
from brxy.broker.offer import Offer
from brxy.broker.pool import Pools

__all__ = ["Withholding"]


class Withholding(Generic[W, S]):
    """
    The part of L{brxy.broker.broker.Broker} that withholds instances from matching, and
    matches them again.  There may be two reasons at once.
    """

    _pools: Pools[S]

    def suspend(self, offer: Offer) -> None:
        """
        Match no more slots of an instance until L{restore}.
        """
        offer.suspended = True
        self._withhold(offer)

    def restore(self, offer: Offer) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        Match the slots of a suspended instance again.

        @return: as that of L{brxy.broker.broker.Broker.ready}.  After any decision was
            performed, see L{more}.
        """
        offer.suspended = False
        return self._matchAgain(offer)

    def pause(self, offer: Offer) -> None:
        """
        Match no more slots of an instance until L{resume}: its route is paused.
        """
        offer.paused = True
        self._withhold(offer)

    def resume(self, offer: Offer) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        Its route is not paused any more.

        @return: see L{restore}.
        """
        offer.paused = False
        return self._matchAgain(offer)

    def more(self, route: str) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        """
        See L{brxy.broker.broker.Broker.more}.
        """
        raise NotImplementedError

    def _withhold(self, offer: Offer) -> None:
        if not offer.withheld:
            offer.withheld = True
            if offer.ready:
                self._pools.leave(offer)

    def _matchAgain(self, offer: Offer) -> Match[W, S] | Probe[W, S] | Recall[W] | None:
        if offer.withheld and not (offer.suspended or offer.paused):
            offer.withheld = False
            if offer.ready:
                self._pools.enter(offer)
                return self._recall(offer.route) or self.more(offer.route)
        return None

    def _recall(self, route: str) -> Recall[W] | None:
        raise NotImplementedError
