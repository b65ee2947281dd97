"""
What the broker decides, and what a waiter is to it.

Pure: values.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from attrs import define

from brxy.broker.offer import Slot

__all__ = ["S", "W", "Expire", "Held", "Match", "Reject", "Waiter"]


class Waiter(Protocol):
    """
    An exchange that needs a slot.

    @ivar route: which app it is for.
    @ivar address: the client's, or C{""}.
    @ivar number: its place in the order of arrival; set by the broker.
    @ivar deadline: when it has waited long enough; set by the broker.
    @ivar held: it waits now; set by the broker.
    """

    route: str
    number: int
    deadline: float
    held: bool

    @property
    def address(self) -> str: ...


W = TypeVar("W", bound=Waiter)


S = TypeVar("S", bound=Slot)


# What is decided is not frozen: that takes twice as long to make.
@define
class Match(Generic[W, S]):
    """
    This slot is the waiter's from now on; its instance has one more in flight.
    """

    waiter: W
    slot: S


@define
class Held(Generic[W]):
    """
    No slot is ready: the waiter stands in line.
    """

    waiter: W


@define
class Reject(Generic[W]):
    """
    The waiter can't even stand in line.

    @ivar reason: C{full}, as many wait as may, for this route or for all; or
        C{address}, as many of its address do.
    """

    waiter: W
    reason: str


@define
class Expire(Generic[W]):
    """
    The waiter stood in line until its deadline; it does no longer.
    """

    waiter: W
