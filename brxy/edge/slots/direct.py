"""
Instances that the edge fronts itself: slots to an address it reaches.

There is no node beside such an instance, so that the edge follows the rules of
L{brxy.apps.lifetime} for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from brxy.apps.announcing import Announcing
from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.interfaces import Address, IExchangeEnd
from brxy.transport.connection import Shared
from brxy.transport.relay import Relay

if TYPE_CHECKING:
    from brxy.edge.slots.front import Front

__all__ = ["DirectSlot"]


@implementer(IExchangeEnd)
class DirectSlot(Backend):
    """
    A slot whose other end is the app itself.

    @ivar instance: whose slot it is.
    @ivar offer: see L{brxy.broker.offer.Slot}.
    @ivar pulling: it takes exchanges.
    @ivar wants_client: see L{brxy.edge.exchanges.ends.SlotEnd}.
    """

    wants_client = False

    def __init__(
        self, front: Front, shared: Shared, address: Address, habits: KeepAliveGuess
    ) -> None:
        super().__init__(shared, address, habits)
        self._front = front
        self.instance = front.instance
        self.offer = front.instance.offer
        self.pulling = True

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.
        """
        self._front.began()
        self.begin(relay, once, client, first)

    def done(self, keep: bool) -> None:
        """
        The exchange is over.
        """
        super().done(keep)
        self._front.over(self)

    def reset(self) -> None:
        """
        Abort the exchange.  See L{IExchangeEnd}.
        """
        super().reset()
        self._front.over(self)

    def refused(self, relay: Relay, reason: str) -> None:
        """
        The app took no connection: give it a moment.
        """
        self._front.over(self)
        self._front.rest(self)
        relay.refused(reason)

    def broke(self, relay: Relay, reason: str) -> None:
        """
        The app broke the exchange off.
        """
        self._front.over(self)
        relay.aborted(self, reason)


class AnnouncingSlot(Announcing, DirectSlot):
    """
    The same for an app that is told who its clients are.
    """

    wants_client = True
