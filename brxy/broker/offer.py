"""
What one instance offers its route: the free slots, and how busy it is.

Pure: a record.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from attrs import define, field

__all__ = ["UNLIMITED", "Offer", "Slot"]

#: The capacity of an instance that takes whatever its ready slots take.
UNLIMITED = sys.maxsize


@define(eq=False)
class Offer:
    """
    The broker's record of one instance.  Only the broker writes it, but for C{route},
    C{place} and C{ticket}, which never change; the scaler reads it.

    @ivar route: the route that the instance serves.
    @ivar place: orders the instances of a route, the lowest first.
    @ivar ticket: decides between instances of the same place.
    @ivar capacity: how many exchanges the instance is sure to take at once; what it gets
        beyond that are probes.
    @ivar ready: the slots that can take an exchange, in the order in which they became
        ready.
    @ivar in_flight: exchanges that the instance has now.
    @ivar matched: exchanges that it was given so far, but for probes that it did not take up.
    @ivar watched: the end of an exchange may change more than C{in_flight}.
    @ivar suspended: the instance took an exchange and did not accept it; it gets no
        more until it answers.
    @ivar paused: its route is paused.
    @ivar withheld: either of the two: its slots are not matched.
    """

    route: str
    place: int
    ticket: str
    ready: dict[Any, None] = field(factory=dict, repr=False)
    in_flight: int = 0
    matched: int = 0
    capacity: int = UNLIMITED
    watched: bool = False
    suspended: bool = False
    paused: bool = False
    withheld: bool = False

    @property
    def full(self) -> bool:
        """
        The instance has as many exchanges as it is sure to take: what it gets now is a
        probe.
        """
        return self.in_flight >= self.capacity


class Slot(Protocol):
    """
    A slot as the broker needs it.

    @ivar offer: of the instance whose slot it is.
    """

    offer: Offer
