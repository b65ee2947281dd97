"""
Events about capacities that are learned.
"""

from __future__ import annotations

from attrs import frozen

from brxy.edge.events import InstanceEvent

__all__ = ["CapacityLearned", "CapacityUnknown"]


@frozen
class CapacityLearned(InstanceEvent):
    """
    An instance has for the first time been full at one capacity for a while.

    @ivar capacity: how many exchanges it takes at once.
    """

    capacity: int


@frozen
class CapacityUnknown(InstanceEvent):
    """
    The capacity of an instance can't be learned.
    """

    reason: str
