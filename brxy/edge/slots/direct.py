"""
Slots straight to an app, for instances that the edge reaches at an address.
"""

from __future__ import annotations

from typing import Protocol

from brxy.apps.announcing import Announcing
from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.apps.lifetime import Lifetime
from brxy.interfaces import Address
from brxy.scaler.instance import Instance
from brxy.transport.connection import Shared
from brxy.transport.relay import Relay
from brxy.uptake.uptake import Uptake
from brxy.wire.frames import NOT_TAKEN_UP

__all__ = ["AnnouncingSlot", "DirectSlot", "Host"]


class Host(Protocol):
    """
    What a direct slot needs of its owner, which knows all slots of the instance.

    @ivar lifetime: counts the exchanges that run on the slots.
    """

    @property
    def instance(self) -> Instance: ...

    @property
    def lifetime(self) -> Lifetime: ...

    def exchangeOver(self, slot: DirectSlot) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """

    def rest(self, slot: DirectSlot, reason: str) -> None:
        """
        A slot takes no exchanges for a moment, since its app took no connection.
        """

    def ready(self, slot: DirectSlot) -> None:
        """
        A slot pulls from now on.
        """

    def unready(self, slot: DirectSlot, refusal: str = "") -> None:
        """
        A slot takes no more exchanges.

        @param refusal: why it refused one, if it did.
        """


class DirectSlot(Backend):
    """
    A slot whose other end is the app itself.

    @ivar instance: the instance behind it.
    @ivar offer: see L{brxy.broker.offer.Slot}.
    @ivar pulling: it takes exchanges.
    @ivar wants_client: see L{brxy.edge.exchanges.ends.SlotEnd}.
    """

    wants_client = False

    def __init__(
        self,
        host: Host,
        shared: Shared,
        address: Address,
        keep_alive: KeepAliveGuess,
        uptake: Uptake | None,
    ) -> None:
        super().__init__(shared, address, keep_alive, uptake)
        self._host = host
        self._lifetime = host.lifetime
        self.instance = host.instance
        self.offer = host.instance.offer
        self.pulling = False

    def isBetweenExchanges(self) -> bool:
        """
        See L{brxy.uptake.pull.Slot}.
        """
        return self._relay is None

    def roundTrip(self) -> float:
        """
        See L{brxy.edge.exchanges.ends.SlotEnd}.  What the app has taken up is seen here.
        """
        return 0.0

    def ready(self) -> None:
        """
        See L{brxy.uptake.pull.Slot}.
        """
        self.pulling = True
        # One with an exchange is free when that is over.
        if self._relay is None:
            self._host.ready(self)

    def unready(self) -> None:
        """
        See L{brxy.uptake.pull.Slot}.
        """
        self.pulling = False
        self._host.unready(self)

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.
        """
        self._lifetime.exchangeBegan()
        self.begin(relay, once, client, first)

    def done(self, keep: bool) -> None:
        """
        The exchange is over.
        """
        super().done(keep)
        self._host.exchangeOver(self)

    def reset(self) -> None:
        """
        Abort the exchange.  See L{brxy.transport.relay.End}.
        """
        super().reset()
        self._host.exchangeOver(self)

    def refused(self, relay: Relay, reason: str) -> None:
        """
        The app has not taken the exchange up.  If it did not even take the connection, the
        slot rests.
        """
        self._host.exchangeOver(self)
        if reason == NOT_TAKEN_UP:
            self.pulling = False
            self._host.unready(self, reason)
        else:
            self._host.rest(self, reason)
        relay.refused(reason)

    def broke(self, relay: Relay, reason: str) -> None:
        """
        The app broke the exchange off.
        """
        self._host.exchangeOver(self)
        relay.aborted(self, reason)


class AnnouncingSlot(Announcing, DirectSlot):
    """
    A direct slot to an app that receives each client's address in a PROXY header.
    """

    wants_client = True
