"""
One exchange as the edge sees it: a table of states and inputs.

An exchange is one HTTP request with its response, or one TCP connection.
L{TABLE} decides what becomes of it; an input that a state does not list is a bug and
raises.  L{brxy.edge.exchanges.carrier} feeds the inputs and performs the actions.

::

    COLLECTING ──collected──▶ HELD

    HELD ──matched──▶ OFFERED ──accepted──▶ RUNNING ──head──▶ ANSWERING ──whole──▶ OVER
      ▲                  │                     │  └──switched──▶ TUNNEL ──whole──▶ OVER
      └── refused, lost (if it may be offered again) ──┘

Most exchanges begin as HELD.  One whose body is still to come and is small enough begins as
COLLECTING: a slow client holds no slot, and nothing is started for it.

PROBING is as OFFERED, to an instance that may be full: of the exchange only the first byte is
sent to the app until that reads it, and the exchange still waits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from brxy.wire.frames import KIND_TCP

__all__ = [
    "ANSWERING",
    "AT_WORK",
    "COLLECTING",
    "COPY_LIMIT",
    "HELD",
    "OFFERED",
    "OVER",
    "PROBING",
    "RUNNING",
    "TABLE",
    "TUNNEL",
    "Action",
    "Exchange",
    "Input",
    "Progress",
]

# Bytes of a request that are kept for offering it again; no more than this is sent before
# an instance has accepted it.  A body that is collected may be larger.
COPY_LIMIT = 65536

# Pieces of the copy are joined up to this size (bytes): a client that sends single bytes
# would take many times their memory.
_PIECE = 4096

# Informational responses that an app may send for one request.
INTERIM_LIMIT = 32


class Progress(IntEnum):
    """
    How far an exchange has come.
    """

    COLLECTING = 0
    HELD = 1
    PROBING = 2
    OFFERED = 3
    RUNNING = 4
    ANSWERING = 5
    TUNNEL = 6
    OVER = 7


class Input(IntEnum):
    """
    What can happen to an exchange.
    """

    MATCHED = 0  # a slot took it
    REJECTED = 1  # held too long, or no instance can be started for it
    ACCEPTED = 2  # the app's connection is open and the bytes go to it
    REFUSED = 3  # no byte reached the app
    LOST_AGAIN = 4  # slot or app broke off; it can be offered again
    LOST = 5  # slot or app broke off; it can't
    INTERIM = 6  # an informational response
    HEAD = 7  # the head of the final response
    SWITCHED = 8  # from now on bytes pass unread both ways
    WHOLE = 9  # the response is complete, and so was the request
    WHOLE_EARLY = 10  # the response is complete before the request is
    BAD_RESPONSE = 11  # what the app sent can't be passed on
    BAD_REQUEST = 12  # the request's body can't be passed on
    SILENT = 13  # the app took too long for its response, or for more of it
    HANGUP = 14  # the client is gone
    ANSWERED = 15  # the complete final response, after the complete request
    COLLECTED = 16  # the body is complete, or no more of it can be kept
    PROBED = 17  # a slot tries whether the app takes it up


class Action(IntEnum):
    """
    What a carrier does about it.
    """

    SEND = 0  # open the exchange on its slot: head and copy
    REQUEUE = 1  # offer it again
    WITHDRAW = 2  # take it out of the queue
    PASS_INTERIM = 3  # pass the informational response on
    ANSWER = 4  # pass the head of the response on
    FAIL = 5  # answer with the edge's own error
    CUT = 6  # reset the client's connection, so that the response is not taken for complete
    RELEASE = 7  # the slot is done with it
    RESET = 8  # abort it on the slot
    NEXT = 9  # the client may go on with its next request
    LINGER = 10  # close to the client without cutting off what was sent
    CLOSE = 11  # close the client's connection
    WAIT = 12  # wait for a slot
    DISCARD = 13  # the memory of a collected body is free again
    TAKEN = 14  # it waits no longer, since the app has taken it up


_P, _I, _A = Progress, Input, Action

# For what is used with each exchange: looking up a member in its class takes ten times as
# long.
COLLECTING, HELD, PROBING, OFFERED, RUNNING, ANSWERING, TUNNEL, OVER = Progress

#: The app has the request, and owes a response or the rest of it.
AT_WORK = (RUNNING, ANSWERING)

#: (state, input) → (next state, actions in their order)
TABLE: dict[tuple[int, int], tuple[Progress, tuple[Action, ...]]] = {
    # Its body is being collected: no slot, no instance and no queue knows of it.
    (_P.COLLECTING, _I.COLLECTED): (_P.HELD, (_A.WAIT,)),
    (_P.COLLECTING, _I.REJECTED): (_P.OVER, (_A.DISCARD, _A.FAIL)),
    (_P.COLLECTING, _I.BAD_REQUEST): (_P.OVER, (_A.DISCARD, _A.FAIL)),
    (_P.COLLECTING, _I.HANGUP): (_P.OVER, (_A.DISCARD, _A.CLOSE)),
    # Sending it frees the memory, too.
    (_P.HELD, _I.MATCHED): (_P.OFFERED, (_A.SEND,)),
    (_P.HELD, _I.REJECTED): (_P.OVER, (_A.DISCARD, _A.FAIL)),
    (_P.HELD, _I.BAD_REQUEST): (_P.OVER, (_A.WITHDRAW, _A.DISCARD, _A.FAIL)),
    (_P.HELD, _I.HANGUP): (_P.OVER, (_A.WITHDRAW, _A.DISCARD, _A.CLOSE)),
    # Sent to an instance that may be full; it is still in the queue, unless it was rejected.
    (_P.HELD, _I.PROBED): (_P.PROBING, (_A.SEND,)),
    (_P.PROBING, _I.ACCEPTED): (_P.RUNNING, (_A.TAKEN,)),
    (_P.PROBING, _I.SWITCHED): (_P.TUNNEL, (_A.TAKEN,)),
    (_P.PROBING, _I.REFUSED): (_P.HELD, (_A.REQUEUE,)),
    (_P.PROBING, _I.LOST_AGAIN): (_P.HELD, (_A.REQUEUE,)),
    (_P.PROBING, _I.LOST): (_P.OVER, (_A.WITHDRAW, _A.FAIL)),
    (_P.PROBING, _I.REJECTED): (_P.OVER, (_A.RESET, _A.FAIL)),
    (_P.PROBING, _I.BAD_REQUEST): (_P.OVER, (_A.WITHDRAW, _A.RESET, _A.FAIL)),
    (_P.PROBING, _I.HANGUP): (_P.OVER, (_A.WITHDRAW, _A.RESET, _A.CLOSE)),
    # Sent to an instance that has not accepted it yet.
    (_P.OFFERED, _I.ACCEPTED): (_P.RUNNING, ()),
    (_P.OFFERED, _I.SWITCHED): (_P.TUNNEL, ()),
    (_P.OFFERED, _I.REFUSED): (_P.HELD, (_A.REQUEUE,)),
    (_P.OFFERED, _I.LOST_AGAIN): (_P.HELD, (_A.REQUEUE,)),
    (_P.OFFERED, _I.LOST): (_P.OVER, (_A.FAIL,)),
    (_P.OFFERED, _I.BAD_REQUEST): (_P.OVER, (_A.RESET, _A.FAIL)),
    (_P.OFFERED, _I.HANGUP): (_P.OVER, (_A.RESET, _A.CLOSE)),
    # An app may have seen it; no byte of a final response has been sent to the client.
    (_P.RUNNING, _I.INTERIM): (_P.RUNNING, (_A.PASS_INTERIM,)),
    (_P.RUNNING, _I.HEAD): (_P.ANSWERING, (_A.ANSWER,)),
    (_P.RUNNING, _I.ANSWERED): (_P.OVER, (_A.ANSWER, _A.RELEASE, _A.NEXT)),
    (_P.RUNNING, _I.SWITCHED): (_P.TUNNEL, (_A.ANSWER,)),
    (_P.RUNNING, _I.LOST_AGAIN): (_P.HELD, (_A.REQUEUE,)),
    (_P.RUNNING, _I.LOST): (_P.OVER, (_A.FAIL,)),
    (_P.RUNNING, _I.BAD_RESPONSE): (_P.OVER, (_A.RESET, _A.FAIL)),
    (_P.RUNNING, _I.BAD_REQUEST): (_P.OVER, (_A.RESET, _A.FAIL)),
    (_P.RUNNING, _I.SILENT): (_P.OVER, (_A.RESET, _A.FAIL)),
    (_P.RUNNING, _I.HANGUP): (_P.OVER, (_A.RESET, _A.CLOSE)),
    # From here on a failure can only be shown by breaking the connection.
    (_P.ANSWERING, _I.WHOLE): (_P.OVER, (_A.RELEASE, _A.NEXT)),
    (_P.ANSWERING, _I.WHOLE_EARLY): (_P.OVER, (_A.RELEASE, _A.LINGER)),
    (_P.ANSWERING, _I.LOST): (_P.OVER, (_A.CUT,)),
    (_P.ANSWERING, _I.BAD_RESPONSE): (_P.OVER, (_A.RESET, _A.CUT)),
    (_P.ANSWERING, _I.BAD_REQUEST): (_P.OVER, (_A.RESET, _A.CUT)),
    (_P.ANSWERING, _I.SILENT): (_P.OVER, (_A.RESET, _A.CUT)),
    # A client that has only half-closed must not take what it has for the whole response.
    (_P.ANSWERING, _I.HANGUP): (_P.OVER, (_A.RESET, _A.CUT)),
    # Both directions pass bytes until both have ended.
    (_P.TUNNEL, _I.WHOLE): (_P.OVER, (_A.RELEASE, _A.LINGER)),
    (_P.TUNNEL, _I.LOST): (_P.OVER, (_A.CUT,)),
    # The app switched before the whole body had come.
    (_P.TUNNEL, _I.BAD_REQUEST): (_P.OVER, (_A.RESET, _A.CUT)),
    (_P.TUNNEL, _I.HANGUP): (_P.OVER, (_A.RESET, _A.CLOSE)),
    # The client's connection may be lost after its exchange.
    (_P.OVER, _I.HANGUP): (_P.OVER, ()),
}


class Exchange:
    """
    The state of one exchange, and the copy of its request.

    C{number}, C{deadline} and C{held} belong to the broker.

    @ivar route: the route of its app.
    @ivar kind: L{KIND_HTTP<brxy.wire.frames.KIND_HTTP>} or L{KIND_TCP}.
    @ivar idempotent: sending it twice does no harm (RFC 9110 §9.2.2).
    @ivar address: the client's address; C{""} if it has none.
    @ivar carrier: the carrier that performs its actions; L{None} once it is over.
    @ivar progress: its state in L{TABLE}.
    @ivar complete: the whole request has come in.
    @ivar copy: what has come of the request's body (or of the TCP connection), while it
        can be sent again; L{None} once it can't.
    @ivar limit: bytes that may be kept of the request before an instance has accepted it.
    @ivar probed_at: when its last probe began.
    @ivar copied: the bytes that have come while there was a copy.
    """

    __slots__ = (
        "_interims",
        "_retries",
        "address",
        "carrier",
        "complete",
        "copied",
        "copy",
        "deadline",
        "held",
        "idempotent",
        "kind",
        "limit",
        "number",
        "probed_at",
        "progress",
        "route",
    )

    def __init__(
        self,
        route: str,
        kind: int,
        idempotent: bool,
        retries: int,
        address: str,
        carrier: Any,
    ) -> None:
        self.route = route
        self.kind = kind
        self.idempotent = idempotent
        self.address = address
        self.carrier = carrier
        self.copy: list[bytes] | None = []
        self.progress = HELD
        self.complete = False
        self.number = 0
        self.deadline = 0.0
        self.held = False
        self.copied = 0
        self.probed_at = 0.0
        self.limit = COPY_LIMIT
        self._interims = 0
        self._retries = retries

    def step(self, event: Input) -> tuple[Action, ...]:
        """
        Take one input.

        @return: what is to be done, in this order.
        @raise KeyError: the table has no such input in this state.
        """
        self.progress, actions = TABLE[self.progress, event]
        return actions

    def collect(self, limit: int) -> None:
        """
        Begin by collecting the body.

        @param limit: see L{Exchange}.
        """
        self.progress = COLLECTING
        self.limit = limit

    def room(self) -> int:
        """
        How many more bytes of the request may be taken now: before an
        instance has accepted it, only what fits into the copy.
        """
        if self.progress <= OFFERED:
            return self.limit - self.copied
        return COPY_LIMIT

    def keep(self, data: bytes) -> None:
        """
        Keep bytes of the request for offering it again.  Once they don't fit into the
        copy, there is no copy any more.
        """
        copy = self.copy
        if copy is None:
            return
        self.copied += len(data)
        if self.copied > self.limit:
            self.copy = None
        elif copy and len(copy[-1]) < _PIECE:
            copy[-1] += data
        else:
            copy.append(data)

    def interim(self) -> bool:
        """
        An informational response has come.  It is a part of the response, so that the
        request can't be offered again once it is passed on.

        @return: whether to pass it on; L{False} after L{INTERIM_LIMIT} of them.
        """
        self.copy = None
        self._interims += 1
        return self._interims <= INTERIM_LIMIT

    def loss(self) -> Input:
        """
        The slot or the app broke off.

        @return: L{Input.LOST_AGAIN} if the exchange is offered again, else L{Input.LOST}.
            A TCP connection is offered again while its client has sent nothing: to the
            app it is then the same as a new one.
        """
        repeatable = self.idempotent or (
            self.kind == KIND_TCP and self.progress <= OFFERED and self.copied == 0
        )
        if (
            repeatable
            and self.copy is not None
            and self._retries > 0
            and self.progress in (PROBING, OFFERED, RUNNING)
        ):
            self._retries -= 1
            return Input.LOST_AGAIN
        return Input.LOST

    @property
    def once(self) -> bool:
        """
        The exchange can't be offered again if it is lost, and should go on a connection
        that is certain to be open.
        """
        return not self.idempotent or self.copy is None or not self.complete
