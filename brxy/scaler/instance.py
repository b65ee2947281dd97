"""
The ledger's entry for one instance, and its state machine.

How far an instance has come stands in L{TABLE}; a change that a stage does not list is
a bug and raises.  What else may be true of an instance in each state stands in L{MAY}
and L{MUST}.  Everything here is written by the methods of L{Instance} alone.

::

    ORDERED ──reached──▶ CONNECTED ──ready──▶ READY ──unready──▶ DRAINING
       │                     │                  ▲ │                │  │
       │                     │                  └─┼─────ready──────┘  │
       └──retired, given up──┴──────retired───────┴──────retired──────┤
                                                                      ▼
                          GONE ◀──buried── (from each of them)     retired

Pure: a record.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from attrs import define, field

from brxy.broker.offer import UNLIMITED, Offer

__all__ = ["MAY", "MUST", "TABLE", "Change", "Instance", "Stage", "State"]


class State(IntEnum):
    """
    How far an instance has come.  Each counts towards the maximum but C{GONE}.
    """

    ORDERED = 1
    CONNECTED = 2
    READY = 3
    DRAINING = 4
    GONE = 5


class Change(IntEnum):
    """
    What can happen to an instance that changes its stage.
    """

    REACHED = 0  # its node opened a slot, or the edge knows its address
    READY = 1  # a slot of it stands ready
    UNREADY = 2  # no slot of it stands ready any more, though some are open
    RETIRED = 3  # it is to finish its exchanges and end
    GIVEN_UP = 4  # it was not ready in time
    DISCONNECTED = 5  # its last slot was lost
    BURIED = 6  # nothing of it is left


class Stage(NamedTuple):
    """
    The state of an instance, and whether it has to end.

    @ivar retired: it has to end, and never takes an exchange again.
    @ivar retire_sent: that was sent to it, over a slot that it still has.
    """

    state: State
    retired: bool = False
    retire_sent: bool = False


_ORDERED = Stage(State.ORDERED)
_CONNECTED = Stage(State.CONNECTED)
_READY = Stage(State.READY)
_DRAINING = Stage(State.DRAINING)
_RETIRED = Stage(State.DRAINING, retired=True)
_NOTIFIED = Stage(State.DRAINING, retired=True, retire_sent=True)
_GONE = Stage(State.GONE)

_C = Change

#: (stage, change) → next stage
TABLE: dict[tuple[Stage, Change], Stage] = {
    (_ORDERED, _C.REACHED): _CONNECTED,
    # It has no slot to send it over: its spawner ends it.
    (_ORDERED, _C.RETIRED): _RETIRED,
    (_ORDERED, _C.GIVEN_UP): _RETIRED,
    (_ORDERED, _C.BURIED): _GONE,
    (_CONNECTED, _C.REACHED): _CONNECTED,
    (_CONNECTED, _C.READY): _READY,
    (_CONNECTED, _C.UNREADY): _CONNECTED,
    (_CONNECTED, _C.RETIRED): _NOTIFIED,
    (_CONNECTED, _C.GIVEN_UP): _RETIRED,
    (_CONNECTED, _C.DISCONNECTED): _CONNECTED,
    (_CONNECTED, _C.BURIED): _GONE,
    # While it has no slot for less than the grace, it counts as what it was.
    (_READY, _C.REACHED): _READY,
    (_READY, _C.READY): _READY,
    (_READY, _C.UNREADY): _DRAINING,
    (_READY, _C.RETIRED): _NOTIFIED,
    (_READY, _C.DISCONNECTED): _READY,
    (_READY, _C.BURIED): _GONE,
    # It drains by itself, and may change its mind.
    (_DRAINING, _C.REACHED): _DRAINING,
    (_DRAINING, _C.READY): _READY,
    (_DRAINING, _C.UNREADY): _DRAINING,
    (_DRAINING, _C.RETIRED): _NOTIFIED,
    (_DRAINING, _C.DISCONNECTED): _DRAINING,
    (_DRAINING, _C.BURIED): _GONE,
    # READY says that it does not know yet: RETIRE is sent with this change.
    (_RETIRED, _C.REACHED): _RETIRED,
    (_RETIRED, _C.READY): _NOTIFIED,
    (_RETIRED, _C.UNREADY): _RETIRED,
    (_RETIRED, _C.DISCONNECTED): _RETIRED,
    (_RETIRED, _C.BURIED): _GONE,
    (_NOTIFIED, _C.REACHED): _NOTIFIED,
    (_NOTIFIED, _C.READY): _NOTIFIED,
    (_NOTIFIED, _C.UNREADY): _NOTIFIED,
    (_NOTIFIED, _C.DISCONNECTED): _RETIRED,
    (_NOTIFIED, _C.BURIED): _GONE,
    # Its slots may outlive it by a moment.
    (_GONE, _C.READY): _GONE,
    (_GONE, _C.UNREADY): _GONE,
    (_GONE, _C.DISCONNECTED): _GONE,
}

_S = State
_ALL = frozenset(State)
_REACHED = _ALL - {_S.ORDERED}

#: The only states in which each of these may be true of an instance, or set.
MAY: dict[str, frozenset[State]] = {
    "newest": frozenset({_S.CONNECTED, _S.READY}),
    "watched": _ALL - {_S.GONE},
    "retired": frozenset({_S.DRAINING}),
    "answered": frozenset({_S.READY, _S.DRAINING, _S.GONE}),
    "start_by": _ALL - {_S.READY},
    "ready_since": frozenset({_S.READY, _S.DRAINING, _S.GONE}),
    "lost_at": _REACHED,
    "slots": _REACHED,
}

#: The states in which each of these must be.
MUST: dict[str, frozenset[State]] = {
    "judged": frozenset({_S.GONE}),
    "ready_since": frozenset({_S.READY}),
}


@define(eq=False)
class Instance:
    """
    One instance, from its order until nothing of it is left.

    @ivar ticket: its identity in this edge: of its order, or made up for an
        instance that came by itself.
    @ivar capacity: exchanges it takes at once; if it learns, those that it is sure to take.
    @ivar learns: its capacity is learned from what its app takes up.
    @ivar expected: how many exchanges one that learns is counted on for; L{None}: any number.
    @ivar max_capacity: how many exchanges one that learns may take at once.
    @ivar full_at: when it was last found full.
    @ivar doubted_until: waiters count on more than it is sure to take, and do so until then.
    @ivar generation: its start by the edge's clock, in microseconds since the
        epoch, made to rise strictly.
    @ivar spawn: the name of the spawn that ordered it, see L{brxy.scaler.rules.Rule};
        L{None} for one that came by itself.
    @ivar rank: how late that spawn's turn comes on its route; 0 is the first, and
        whatever came by itself.
    @ivar node_id: the name its node gave itself, once one has dialled in.
    @ivar adopted: an earlier run of this edge ordered it.
    @ivar ordered_at: when it was ordered, or came.
    @ivar offer: what it offers its route, which the broker writes.  Its C{place} puts
        the lowest rank first, and of one rank the newest generation.
    @ivar state: how far it has come.
    @ivar retired: see L{Stage}.
    @ivar retire_sent: see L{Stage}.
    @ivar watched: a spawner's handle will report its end; otherwise it is gone a while
        after its last slot.
    @ivar newest: it is the newest of its route.
    @ivar judged: it is known whether its order succeeded, or never will be.
    @ivar answered: it has served an exchange, so it works; then it is judged, too.
    @ivar slots: how many slots its node has open.
    @ivar start_by: when it must have become ready, or L{None} if it need not.
    @ivar ready_since: when it first became ready.
    @ivar lost_at: when its last slot was lost; L{None} if it has one, or has had none yet.
    """

    ticket: str
    route: str
    capacity: int
    generation: int
    spawn: str | None = None
    rank: int = 0
    node_id: str | None = None
    state: State = State.ORDERED
    watched: bool = False
    slots: int = 0
    newest: bool = False
    adopted: bool = False
    retired: bool = False
    retire_sent: bool = False
    answered: bool = False
    judged: bool = False
    ordered_at: float = 0.0
    start_by: float | None = None
    ready_since: float | None = None
    lost_at: float | None = None
    learns: bool = False
    expected: int | None = None
    max_capacity: int = UNLIMITED
    full_at: float | None = None
    doubted_until: float | None = None
    offer: Offer = field(init=False)

    @offer.default
    def _newOffer(self) -> Offer:
        # As one number it is compared as fast as the generation alone.
        place = (self.rank << 64) - self.generation
        return Offer(self.route, place, self.ticket, capacity=self.sure)

    @property
    def sure(self) -> int:
        """
        How many exchanges it gets without a probe: the capacity of its offer.
        """
        return self.capacity if self.learns else UNLIMITED

    @property
    def stage(self) -> Stage:
        """
        Its key in L{TABLE}.
        """
        return Stage(self.state, self.retired, self.retire_sent)

    def change(self, change: Change) -> bool:
        """
        Take one change.

        @return: whether the state is another than before.
        @raise KeyError: the table has no such change in this stage.
        """
        before = self.state
        self.state, self.retired, self.retire_sent = TABLE[self.stage, change]
        return self.state is not before

    # Its node

    def identify(self, node_id: str) -> None:
        """
        A node has dialled in under this name.
        """
        self.node_id = node_id

    def resize(self, capacity: int) -> bool:
        """
        Its node says how many exchanges it takes.

        @return: whether those are fewer than before.
        """
        before, self.capacity = self.capacity, capacity
        self.doubted_until = None
        return capacity < before

    def learn(self, learns: bool) -> bool:
        """
        Its node says whether its capacity is learned.

        @return: whether that is news.
        """
        before, self.learns = self.learns, learns
        return learns is not before

    def expect(self, expected: int | None) -> None:
        """
        It is counted on for this many exchanges at once; L{None}: any number.
        """
        self.expected = expected

    def doubt(self, until: float | None) -> None:
        """
        Until when waiters count on more than it is sure to take; L{None}: they do not.
        """
        self.doubted_until = until

    def fill(self, now: float) -> None:
        """
        It was found full.
        """
        self.full_at, self.expected = now, self.capacity

    def openSlot(self) -> None:
        """
        It has one slot more.
        """
        self.slots += 1
        self.lost_at = None

    def closeSlot(self, now: float) -> bool:
        """
        It has one slot less.

        @return: whether that was the last.
        """
        self.slots -= 1
        if self.slots or self.state is State.GONE:
            return False
        self.lost_at = now
        return True

    # Its order

    def startBy(self, when: float | None) -> None:
        """
        It must be ready by then; L{None}: at any time.
        """
        self.start_by = when

    def watch(self, watched: bool) -> None:
        """
        A spawner's handle will report its end, or does not any more.
        """
        self.watched = watched

    def serves(self, now: float) -> None:
        """
        It is ready.
        """
        if self.ready_since is None:
            self.ready_since = now
        self.start_by = None

    def answer(self) -> None:
        """
        It has served an exchange.
        """
        self.answered = True

    def judge(self) -> bool:
        """
        It is known whether its order succeeded, or never will be.

        @return: whether that was not known before.
        """
        before, self.judged = self.judged, True
        return not before

    def setNewest(self, newest: bool) -> None:
        """
        Whether it is the newest of its route.
        """
        self.newest = newest
