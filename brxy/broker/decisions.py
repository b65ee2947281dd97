"""
The decisions of the broker, and what it needs of a waiter.

Pure: values.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from attrs import define

from brxy.broker.offer import Slot

__all__ = ["S", "W", "Expire", "Held", "Match", "Probe", "Recall", "Reject", "Waiter"]


class Waiter(Protocol):
    """
    An exchange that needs a slot.

    The broker sets C{number}, C{deadline} and C{held}.

    @ivar route: the route of the slot that it needs.
    @ivar address: the address of the client; C{""} if it has none.
    @ivar number: its place in the order of arrival.
    @ivar deadline: until when it waits.
    @ivar held: whether it waits now.
    """

    route: str
    number: int
    deadline: float
    held: bool

    @property
    def address(self) -> str: ...


W = TypeVar("W", bound=Waiter)


S = TypeVar("S", bound=Slot)


# Decisions are not frozen: a frozen one takes twice as long to make.
@define
class Match(Generic[W, S]):
    """
    A waiter gets a slot; the slot's instance has one exchange more in flight.
    """

    waiter: W
    slot: S


@define
class Probe(Generic[W, S]):
    """
    A waiter gets a slot beyond the capacity of the slot's instance, which has one exchange
    more in flight.  It remains a waiter until L{brxy.broker.broker.Broker.taken}.
    """

    waiter: W
    slot: S


@define
class Recall(Generic[W]):
    """
    A waiter that is probed is to be taken back, unless the app has taken it up, since a slot
    of another instance is ready.  It is not held until it is offered again.
    """

    waiter: W


@define
class Held(Generic[W]):
    """
    No slot is ready: the waiter is held.
    """

    waiter: W


@define
class Reject(Generic[W]):
    """
    The waiter is not held.

    @ivar reason: C{full}: the maximum of waiters is reached, of this route or of all; or
        C{address}: that of the client's address is.
    """

    waiter: W
    reason: str


@define
class Expire(Generic[W]):
    """
    The waiter was held until its deadline, and is no longer.
    """

    waiter: W
