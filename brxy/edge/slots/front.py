"""
Instances that the edge reaches at an address: their slots, and how long they live.

No node is beside such an instance, so the edge itself follows the rules of
L{brxy.apps.lifetime} for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from brxy.apps.connection import KeepAliveGuess
from brxy.apps.idleclock import IdleClock
from brxy.apps.learning import Learn
from brxy.edge.slots.direct import AnnouncingSlot, DirectSlot
from brxy.interfaces import Address
from brxy.scaler.instance import Instance
from brxy.transport.connection import Shared
from brxy.uptake.pull import pull

__all__ = ["LAST_WORDS", "REFUSED_PAUSE", "Front", "Host"]

# A slot whose app refused a connection takes no exchanges for this long (seconds).
REFUSED_PAUSE = 0.1

# The edge may learn that an app has ended before it has read what the app sent last:
# the app's connections get this long to end by themselves (seconds).
LAST_WORDS = 1.0


class Host(Protocol):
    """
    What the slots to an address need of the edge.
    """

    def free(self, slot: DirectSlot) -> None:
        """
        A slot can take an exchange now.
        """

    def unready(self, slot: DirectSlot, refusal: str = "") -> None:
        """
        A slot takes no exchanges until it is free again.

        @param refusal: why no connection to the app could be made, if that is the reason.
        """

    def exchangeOver(self, slot: DirectSlot) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """

    def resized(self, slot: DirectSlot, capacity: int) -> None:
        """
        The instance of a slot learns its capacity, and has another one now.
        """


class Front:
    """
    One instance that the edge reaches at an address.

    @ivar lifetime: counts the exchanges that run, and decides when the instance ends.
    @param exit: called once when the instance shall be stopped.
    @param send_proxy: the version of the PROXY protocol that the app expects; L{None}
        if it does not.
    @param learn: makes what learns the capacity; L{None} if that is fixed.
    """

    def __init__(
        self,
        shared: Shared,
        host: Host,
        instance: Instance,
        address: Address,
        idle_timeout: float,
        old_idle_timeout: float,
        exit: Callable[[], None],
        send_proxy: str | None = None,
        learn: Learn | None = None,
    ) -> None:
        self.instance = instance
        self._reactor = shared.reactor
        self._host = host
        self._idle_clock = IdleClock(
            shared.reactor, idle_timeout, old_idle_timeout, self._drain, exit
        )
        self.lifetime = self._idle_clock.lifetime
        self._resting: dict[DirectSlot, IDelayedCall] = {}
        self._cut: IDelayedCall | None = None
        self._elsewhere = False
        self._uptake = None if learn is None else learn(self._capacityChanged)
        keep_alive = KeepAliveGuess()
        make = DirectSlot if send_proxy is None else partial(AnnouncingSlot, send_proxy)
        self._slot = partial(make, self, shared, address, keep_alive, self._uptake)
        self._slots: list[DirectSlot] = []
        self._openSlots(instance.capacity if self._uptake is None else self._uptake.estimate.pulls)

    def _openSlots(self, number: int) -> None:
        self._slots += [self._slot() for _ in range(number - len(self._slots))]

    @property
    def pulling(self) -> bool:
        """
        At least one of its slots takes exchanges.
        """
        return any(slot.pulling for slot in self._slots)

    def start(self) -> None:
        """
        The app is ready.
        """
        self._idle_clock.reconsider()
        for slot in list(self._slots):
            slot.ready()

    # What its slots report

    def exchangeOver(self, slot: DirectSlot) -> None:
        """
        See L{brxy.edge.slots.direct.Host}.
        """
        self._host.exchangeOver(slot)
        self._idle_clock.exchangeOver()
        if self._cut is not None and not self.lifetime.busy:
            self._cut.cancel()
            self._closeSlots()

    def rest(self, slot: DirectSlot, reason: str) -> None:
        """
        See L{brxy.edge.slots.direct.Host}.
        """
        slot.pulling = False
        if not self._idle_clock.leaving:
            self._resting[slot] = self._reactor.callLater(REFUSED_PAUSE, self._rested, slot)
        self._host.unready(slot, reason)

    def _rested(self, slot: DirectSlot) -> None:
        del self._resting[slot]
        if self._uptake is None:
            slot.ready()
        else:
            self._pull(self._uptake.estimate.pulls)

    def ready(self, slot: DirectSlot) -> None:
        """
        See L{brxy.edge.slots.direct.Host}.
        """
        self._host.free(slot)

    def unready(self, slot: DirectSlot, refusal: str = "") -> None:
        """
        See L{brxy.edge.slots.direct.Host}.
        """
        self._host.unready(slot, refusal)

    # What is learned of its capacity

    def _capacityChanged(self) -> None:
        uptake = self._uptake
        if uptake is None or self._idle_clock.leaving:
            return
        self._host.resized(self._slots[0], uptake.estimate.capacity)
        self._pull(uptake.estimate.pulls)

    def _pull(self, number: int) -> None:
        self._openSlots(number)
        pull([slot for slot in self._slots if slot not in self._resting], number)

    # What the edge decides

    def setNewest(self, newest: bool) -> None:
        """
        Whether it is the newest instance of its route.
        """
        self._idle_clock.setNewest(newest)

    def setElsewhere(self, needed: bool) -> None:
        """
        Whether a former edge still needs it: then it is not idle.
        """
        if needed and not self._elsewhere:
            self.lifetime.exchangeBegan()
        elif self._elsewhere and not needed:
            self._idle_clock.exchangeOver()
        self._elsewhere = needed

    def setTimeouts(self, idle_timeout: float, old_idle_timeout: float) -> None:
        """
        It may be idle for another time than before.
        """
        self._idle_clock.setTimeouts(idle_timeout, old_idle_timeout)

    def retire(self) -> None:
        """
        Take no more exchanges, finish those that run, and end.
        """
        self._idle_clock.retire()

    def goAway(self) -> None:
        """
        The edge ends, and so does the instance.
        """
        self.retire()

    def close(self) -> None:
        """
        The app is gone.
        """
        self._idle_clock.retire()
        if self.lifetime.busy:
            self._cut = self._reactor.callLater(LAST_WORDS, self._closeSlots)
        else:
            self._closeSlots()

    def _closeSlots(self) -> None:
        self._cut = None
        if self._uptake is not None:
            # Another instance may have it; else it gets the place of the next one that breaks.
            self._uptake.recall()
        for slot in self._slots:
            slot.close("the app is gone")
        if self._uptake is not None:
            self._uptake.stop()

    def _drain(self) -> None:
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
        for slot in self._slots:
            if slot.pulling:
                slot.unready()
