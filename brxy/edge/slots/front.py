"""
Instances that the edge reaches at their address: their direct slots and lifetime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall

from brxy.apps.connection import KeepAliveGuess
from brxy.apps.idleclock import IdleClock
from brxy.edge.slots.direct import AnnouncingSlot, DirectSlot
from brxy.interfaces import Address
from brxy.scaler.instance import Instance
from brxy.transport.connection import Shared

__all__ = ["LAST_WORDS", "REFUSED_PAUSE", "Front", "Host"]

# An app that refused a connection is offered none for so long (seconds).
REFUSED_PAUSE = 0.1


# The end of an app may be seen before what it sent last: its connections get so
# long (seconds) to end by themselves.
LAST_WORDS = 1.0


class Host(Protocol):
    """
    What the slots to an address need of the edge.
    """

    def free(self, slot: DirectSlot) -> None:
        """
        A slot can take an exchange now.
        """

    def unready(self, slot: DirectSlot) -> None:
        """
        A slot takes no exchanges until it is free again.
        """

    def exchangeOver(self, slot: DirectSlot) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """


class Front:
    """
    One instance that the edge fronts: its slots, and how long it lives.

    @param exit: called once when the instance shall be stopped.
    @param send_proxy: the version of the PROXY protocol that the app speaks, if it
        does.
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
    ) -> None:
        self.instance = instance
        self._reactor = shared.reactor
        self._host = host
        self._idle_clock = IdleClock(
            shared.reactor, idle_timeout, old_idle_timeout, self._lieDown, exit
        )
        self._resting: dict[DirectSlot, IDelayedCall] = {}
        self._cut: IDelayedCall | None = None
        habits = KeepAliveGuess()
        make = DirectSlot if send_proxy is None else partial(AnnouncingSlot, send_proxy)
        self._slots = [make(self, shared, address, habits) for _ in range(instance.capacity)]

    @property
    def pulling(self) -> bool:
        """
        It still takes exchanges.
        """
        return any(slot.pulling for slot in self._slots)

    def start(self) -> None:
        """
        The app is ready.
        """
        self._idle_clock.reconsider()
        for slot in self._slots:
            self.free(slot)

    def began(self) -> None:
        """
        An exchange began on one of the slots.
        """
        self._idle_clock.began()

    def over(self, slot: DirectSlot) -> None:
        """
        An exchange is over.
        """
        self._host.exchangeOver(slot)
        self._idle_clock.finished()
        if self._cut is not None and not self._idle_clock.busy:
            self._cut.cancel()
            self._closeSlots()

    def free(self, slot: DirectSlot) -> None:
        """
        A slot can take the next exchange.
        """
        if slot.pulling:
            self._host.free(slot)

    def rest(self, slot: DirectSlot) -> None:
        """
        A slot takes nothing for a moment.
        """
        slot.pulling = False
        if not self._idle_clock.leaving:
            self._resting[slot] = self._reactor.callLater(REFUSED_PAUSE, self._rested, slot)
        self._host.unready(slot)

    def _rested(self, slot: DirectSlot) -> None:
        del self._resting[slot]
        slot.pulling = True
        self._host.free(slot)

    def setNewest(self, newest: bool) -> None:
        """
        There is a newer instance of its route, or none.
        """
        self._idle_clock.setNewest(newest)

    def retire(self) -> None:
        """
        Take nothing more, finish what runs, and go.
        """
        self._idle_clock.retire()

    def goAway(self) -> None:
        """
        The edge leaves, and takes what it fronts with it.
        """
        self.retire()

    def close(self) -> None:
        """
        The app is gone.
        """
        self._idle_clock.retire()
        if self._idle_clock.busy:
            self._cut = self._reactor.callLater(LAST_WORDS, self._closeSlots)
        else:
            self._closeSlots()

    def _closeSlots(self) -> None:
        self._cut = None
        for slot in self._slots:
            slot.close("the app is gone")

    def _lieDown(self) -> None:
        for timer in self._resting.values():
            timer.cancel()
        self._resting.clear()
        for slot in self._slots:
            if slot.pulling:
                slot.pulling = False
                self._host.unready(slot)
