"""
What becomes of exchanges, in numbers.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

__all__ = ["DispatchSnapshot"]


@frozen
class DispatchSnapshot:
    """
    What a L{brxy.edge.matching.Matching} is doing, and what it has done since it was made.

    @ivar collecting: how many requests are not waiting yet, while their bodies come.
    @ivar collected: the bytes of request bodies that are collected.
    @ivar held: how many exchanges wait, by route.
    @ivar oldest_hold: the seconds for which the first of those that wait has waited.
    @ivar total_matched: matches of an exchange and a slot; an exchange that is offered
        again has several.
    @ivar total_queued: matches of exchanges that were held while an instance was ready.
    @ivar total_cold: matches of exchanges that were held while none was.
    @ivar total_probes: how many times an exchange was sent to an instance that might be
        full.
    @ivar total_held: exchanges that had to wait.
    @ivar total_requeued: how many times an exchange was offered again.
    @ivar total_lost: exchanges that were broken off and not offered again.
    @ivar total_expired: exchanges that waited for too long.
    @ivar total_rejected: exchanges that were not served, by the text of the answer; those
        that waited for too long are among them.
    """

    collecting: int
    collected: int
    held: Mapping[str, int]
    oldest_hold: float
    total_matched: int
    total_queued: int
    total_cold: int
    total_probes: int
    total_held: int
    total_requeued: int
    total_lost: int
    total_expired: int
    total_rejected: Mapping[str, int]
