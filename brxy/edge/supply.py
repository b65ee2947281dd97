"""
What L{brxy.edge.dispatch} needs of what provides the instances.
"""

from __future__ import annotations

from typing import Any, Protocol

from brxy.broker.offer import Offer
from brxy.edge.exchanges.refusals import Refusal
from brxy.scaler.instance import Instance
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Slot", "Supply"]


class Slot(Protocol):
    """
    A slot, as it is matched with exchanges.
    """

    instance: Instance
    offer: Offer

    @property
    def pulling(self) -> bool:
        """
        It takes exchanges.
        """


class Supply(Protocol):
    """
    What provides instances for the exchanges that wait.

    @ivar short: a route lacks room for instances; L{idled} is of use only then.
    """

    short: bool

    def needed(self, route: str, waker: str | None) -> Refusal | None:
        """
        An exchange waits for a route.

        @param waker: the address of the client, if it has just come.
        @return: why it may not wait, if it may not.
        """

    def waiterLeft(self, route: str) -> None:
        """
        An exchange no longer waits for a route, and was not matched.
        """

    def pulls(self, instance: Instance) -> bool:
        """
        A slot of an instance is free.

        @return: whether the instance may have exchanges.
        """

    def idled(self, instance: Instance) -> None:
        """
        A free slot of an instance found no exchange.
        """

    def answered(self, instance: Instance) -> None:
        """
        An instance has served its first complete exchange.
        """

    def resized(self, instance: Instance, capacity: int) -> None:
        """
        An instance that learns is sure to take another number of exchanges at once.
        """

    def full(self, instance: Instance, refused: bool = False) -> None:
        """
        An instance did not take up an exchange beyond its capacity.

        @param refused: it has refused the exchange; else it lets it wait.
        """

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        """
        A node introduces itself on a slot.  From then on, C{instance.sure} is the capacity
        that the slot's offer must have.

        @raise brxy.errors.NodeRefused: it can't serve here.
        """

    def unready(self, instance: Instance, refusal: str = "") -> None:
        """
        A slot of an instance takes no more exchanges.

        @param refusal: why no connection to the app could be made, if that is the reason;
            L{brxy.wire.frames.NOT_TAKEN_UP} if the app is full.
        """

    def closed(self, slot: Any) -> None:
        """
        A node's slot is gone.
        """

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and did not accept it.
        """

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """

    def roll(self, route: str) -> None:
        """
        Replace the instances of a route by newer ones.
        """
