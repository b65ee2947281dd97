"""
What a broker knows, as a frozen value.

Pure: a value.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

__all__ = ["BrokerSnapshot"]


@frozen
class BrokerSnapshot:
    """
    What waits, what is free, and how much the broker keeps for that.

    @ivar held: how many exchanges wait, by route.
    @ivar probed: how many of them are probed, by route.
    @ivar offering: how many instances have a free slot, by route.
    @ivar deadlines: entries that it keeps for the deadlines of waiters.
    @ivar places: entries that it keeps for their order; more than there are waiters, if
        some have left.
    @ivar offers: entries that it keeps for the order of instances.
    @ivar total: how many exchanges have come.
    """

    held: Mapping[str, int]
    probed: Mapping[str, int]
    offering: Mapping[str, int]
    deadlines: int
    places: int
    offers: int
    total: int
