"""
Instances that the edge reaches at their address: their direct slots and lifetime.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall

from brxy.apps.connection import KeepAliveGuess
from brxy.apps.idleclock import IdleClock
from brxy.edge.slots.direct import AnnouncingSlot, DirectSlot
from brxy.interfaces import Address
from brxy.scaler.instance import Instance
from brxy.transport.connection import Shared

if TYPE_CHECKING:
    from brxy.edge.dispatch import Brokerage

__all__ = ["LAST_WORDS", "REFUSED_PAUSE", "Front"]

# An app that refused a connection is offered none for so long (seconds).
REFUSED_PAUSE = 0.1


# The end of an app may be seen before what it sent last: its connections get so
# long (seconds) to end by themselves.
LAST_WORDS = 1.0


class Front:
    """
    One instance that the edge fronts: its slots, and how long it lives.

    @ivar began: to be called when an exchange began on one of the slots.
    @param exit: called once when the instance shall be stopped.
    @param send_proxy: the version of the PROXY protocol that the app speaks, if it
        does.
    """

    def __init__(
        self,
        shared: Shared,
        brokerage: Brokerage,
        instance: Instance,
        address: Address,
        idle_timeout: float,
        old_idle_timeout: float,
        exit: Callable[[], None],
        send_proxy: str | None = None,
    ) -> None:
        self.instance = instance
        self._reactor = shared.reactor
        self._brokerage = brokerage
        self._idle_clock = IdleClock(
            shared.reactor, idle_timeout, old_idle_timeout, self._lieDown, exit
        )
        self.began = self._idle_clock.began
        self._finished = self._idle_clock.finished
        self._resting: dict[DirectSlot, IDelayedCall] = {}
        self._cut: IDelayedCall | None = None
        habits = KeepAliveGuess()
        make = DirectSlot if send_proxy is None else partial(AnnouncingSlot, send_proxy)
        self._slots = [make(self, shared, address, habits) for _ in range(instance.capacity)]

    @property
    def standing(self) -> bool:
        """
        It still takes exchanges.
        """
        return any(slot.standing for slot in self._slots)

    def start(self) -> None:
        """
        The app is ready.
        """
        self._idle_clock.reconsider()
        for slot in self._slots:
            self.free(slot)

    def over(self, slot: DirectSlot) -> None:
        """
        An exchange is over.
        """
        self._brokerage.over(slot)
        self._finished()
        if self._cut is not None and not self._idle_clock.busy:
            self._cut.cancel()
            self._closeSlots()

    def next(self, slot: DirectSlot) -> None:
        """
        An exchange is over, and its slot can take the next one.
        """
        self.over(slot)
        if slot.standing:
            self._brokerage.free(slot)

    def free(self, slot: DirectSlot) -> None:
        """
        A slot can take the next exchange.
        """
        if slot.standing:
            self._brokerage.free(slot)

    def rest(self, slot: DirectSlot) -> None:
        """
        A slot takes nothing for a moment.
        """
        slot.standing = False
        if not self._idle_clock.leaving:
            self._resting[slot] = self._reactor.callLater(REFUSED_PAUSE, self._rested, slot)
        self._brokerage.unready(slot)

    def _rested(self, slot: DirectSlot) -> None:
        del self._resting[slot]
        slot.standing = True
        self._brokerage.free(slot)

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
            if slot.standing:
                slot.standing = False
                self._brokerage.unready(slot)
