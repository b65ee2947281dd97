"""
Where exchanges meet slots: what the slots report, and its consequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from brxy.broker.gates import STOPPED, Gate
from brxy.edge.exchanges.refusals import stopped
from brxy.edge.exchanges.table import PROBING, Exchange
from brxy.edge.matching import DispatchSnapshot, Matching, Slot
from brxy.scaler.instance import Instance, State
from brxy.wire.frames import NOT_TAKEN_UP
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Dispatch", "DispatchSnapshot", "Slot"]


class Dispatch(Matching):
    """
    Brings exchanges and slots together: the side of the slots.
    """

    def free(self, slot: Slot) -> None:
        """
        A slot can take an exchange now.
        """
        if slot not in self._free:
            self._free.append(slot)
        self.drain()

    def exchangeOver(self, slot: Slot) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """
        self._broker.finish(slot)
        if slot.pulling:
            self._free.append(slot)

    def leaves(self, slot: Slot) -> None:
        """
        A slot will be gone in a moment, and must not be matched until then.
        """
        if slot in self._free:
            self._free.remove(slot)
        self._broker.withdraw(slot)

    def unready(self, slot: Slot, refusal: str = "") -> None:
        """
        A slot takes no more exchanges.

        @param refusal: see L{brxy.edge.supply.Supply.unready}.
        """
        self.leaves(slot)
        instance = slot.instance
        if refusal and self._broker.isRecalled(slot):
            # It says nothing of the instance.
            refusal = NOT_TAKEN_UP
        elif refusal == NOT_TAKEN_UP or self._broker.hasLapsed(slot):
            # The app is full, which is no failure.
            refusal = NOT_TAKEN_UP
            if instance.state is State.READY:
                self.supply.full(instance, refused=True)
        self.supply.unready(instance, refusal)

    def resized(self, slot: Slot, capacity: int) -> None:
        """
        The capacity of the instance of a slot is another one now.
        """
        self.supply.resized(slot.instance, capacity)
        self._resize(slot)

    def _resize(self, slot: Slot) -> None:
        offer, sure = slot.offer, slot.instance.sure
        if offer.capacity != sure:
            self.perform(offer.route, self._broker.resize(offer, sure))

    def closed(self, slot: Slot) -> None:
        """
        A node's slot is gone.
        """
        self.leaves(slot)
        self.supply.closed(slot)

    def withdrawAll(self, instance: Instance) -> None:
        """
        An instance gets no more exchanges.
        """
        self._broker.withdrawAll(instance.offer)

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and did not accept it: it gets no more until it
        answers.
        """
        if not instance.offer.suspended:
            # Its other slots may have taken exchanges that it does not accept either.
            self._broker.suspend(instance.offer)
            self.supply.silent(instance)

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """
        self.supply.answers(instance)
        self.perform(instance.route, self._broker.restore(instance.offer))

    def close(self, route: str, gate: Gate, instances: Iterable[Instance]) -> None:
        """
        Match no more exchanges of a route.  Those that run are finished.

        @param instances: all of the route.
        """
        self.gates.close(route, gate)
        for instance in instances:
            self._broker.pause(instance.offer)
        if gate.kind is STOPPED:
            self.reject(route, stopped(gate.message))
        # What waits needs no instances any more.
        self.supply.needed(route, None)

    def open(self, route: str, instances: Iterable[Instance]) -> bool:
        """
        Match the exchanges of a route again.

        @param instances: all of the route.
        @return: whether the route was closed.
        """
        if not self.gates.open(route):
            return False
        for instance in instances:
            self.perform(route, self._broker.resume(instance.offer))
        self.supply.needed(route, None)
        self.drain()
        return True

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        """
        See L{brxy.edge.supply.Supply.hello}.
        """
        welcome = self.supply.hello(slot, hello)
        self._resize(slot)
        return welcome

    def handOver(self, take: Callable[[Exchange], None]) -> None:
        """
        Another edge takes all exchanges that wait now, or will.

        @param take: called with each.
        """
        self.leaving = self.handed_over = True
        # In place of a check for each request.
        self.wait = self.requeue = take  # type: ignore[method-assign,assignment]
        for route in self._broker.snapshot().held:
            for exchange in self._broker.takeAll(route):
                if exchange.progress is PROBING:
                    # The app may just have taken it up; if not, it is offered again.
                    self._patience.stop(exchange)
                    exchange.carrier.recall()
                else:
                    take(exchange)

    def deadlineChanged(self) -> None:
        """
        Exchanges that wait have other deadlines.
        """
        self._alarm.set(self._broker.nextDeadline())

    def roll(self, route: str) -> None:
        """
        See L{brxy.edge.supply.Supply.roll}.
        """
        self.supply.roll(route)
