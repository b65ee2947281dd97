"""
The ledger's entry for one instance.
"""

from __future__ import annotations

from enum import IntEnum

from attrs import define, field

from brxy.broker.offer import Offer

__all__ = ["Instance", "State"]


class State(IntEnum):
    """
    How far an instance has come.  Each counts towards the maximum but C{GONE}.
    """

    ORDERED = 1
    CONNECTED = 2
    READY = 3
    DRAINING = 4
    GONE = 5


@define(eq=False)
class Instance:
    """
    One instance, from its order until nothing of it is left.

    @ivar ticket: its identity in this edge: of its order, or made up for an
        instance that came by itself.
    @ivar capacity: exchanges it takes at once.
    @ivar generation: its start by the edge's clock, in microseconds since the
        epoch, made to rise strictly.
    @ivar spawner: the position of the C{--spawn} that ordered it, or L{None}
        for one that came by itself.
    @ivar rank: how late that spawner's turn comes on its route; 0 is the first,
        and whatever came by itself.
    @ivar offer: what it offers its route, which the broker writes.  Its C{place} puts
        the lowest rank first, and of one rank the newest generation.
    @ivar node_id: the name its node gave itself, once one has dialled in.
    @ivar watched: a spawner's handle will tell when it is gone; otherwise it
        is gone a while after its last slot.
    @ivar slots: how many slots it has open.
    @ivar newest: it is the newest of its route.
    @ivar adopted: an earlier run of this edge ordered it.
    @ivar retired: it is to go, and won't take anything again.
    @ivar told: it has heard so, by a slot that it still has.
    @ivar answered: it has served an exchange, so it works.
    @ivar judged: it is known whether its order succeeded, or nobody will know.
    @ivar ordered_at: when it was ordered, or came.
    @ivar start_by: when it must have become ready, or L{None} if it need not.
    @ivar ready_since: when it first became ready.
    @ivar lost_at: when its last slot was lost, or L{None} while it has one or
        has not had any yet.
    """

    ticket: str
    route: str
    capacity: int
    generation: int
    spawner: int | None = None
    rank: int = 0
    node_id: str | None = None
    state: State = State.ORDERED
    watched: bool = False
    slots: int = 0
    newest: bool = False
    adopted: bool = False
    retired: bool = False
    told: bool = False
    answered: bool = False
    judged: bool = False
    ordered_at: float = 0.0
    start_by: float | None = None
    ready_since: float | None = None
    lost_at: float | None = None
    offer: Offer = field(init=False)

    @offer.default
    def _newOffer(self) -> Offer:
        # As one number it is compared as fast as the generation alone.
        return Offer(self.route, (self.rank << 64) - self.generation, self.ticket)
