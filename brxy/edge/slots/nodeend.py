"""
A node's slot as an end of exchanges, and as what an instance is reached by.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from twisted.python.failure import Failure

from brxy.broker.offer import Offer
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.instance import Instance
from brxy.slots.framed import Framed, FramedFactory
from brxy.tls.certificates import bears
from brxy.transport.relay import Relay
from brxy.wire.frames import (
    DONE,
    END,
    OPEN,
    RECALL,
    RESET,
    dataFrames,
    doneFrame,
    frame,
    nextExchange,
)
from brxy.wire.greeting import Hello, Welcome, openPayload

__all__ = ["ACCEPT_TIMEOUT", "Host", "NodeEnd"]

# Seconds from OPEN to ACCEPT.
ACCEPT_TIMEOUT = 5.0

# The phases of a slot.
# ENDING: the app has ended its direction, and must not send more.
GREETING, IDLE, OFFERED, RUNNING, ENDING, RESETTING = range(6)


class Host(Protocol):
    """
    What the slots of nodes need of the edge.
    """

    def hello(self, slot: NodeEnd, hello: Hello) -> Welcome:
        """
        A node introduces itself on a slot; the slot's C{instance} and C{offer} are set.

        @raise NodeRefused: the edge does not admit it.
        """

    def free(self, slot: NodeEnd) -> None:
        """
        A slot can take an exchange now.
        """

    def resized(self, slot: NodeEnd, capacity: int) -> None:
        """
        The capacity of the instance of a slot is another one now.
        """

    def unready(self, slot: NodeEnd, refusal: str = "") -> None:
        """
        A slot takes no exchanges until it is free again.

        @param refusal: why it refused one, if it did.
        """

    def exchangeOver(self, slot: NodeEnd) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """

    def drain(self) -> None:
        """
        The current event is over: offer the free slots to the exchanges that wait.
        """

    def leaves(self, slot: NodeEnd) -> None:
        """
        A slot will be closed in a moment, and must not be matched until then.
        """

    def closed(self, slot: NodeEnd) -> None:
        """
        A slot is closed.
        """

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and does not answer.
        """

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """

    def roll(self, route: str) -> None:
        """
        A node requests newer instances of its route.
        """


class NodeEnd(Framed):
    """
    One connection from a node: carries one exchange at a time.

    @ivar instance: the instance behind it; set by HELLO.
    @ivar offer: see L{brxy.broker.offer.Slot}; set by HELLO, too.
    @ivar wants_client: see L{brxy.edge.exchanges.ends.SlotEnd}; set by HELLO, too.
    """

    instance: Instance
    offer: Offer
    wants_client: bool

    def __init__(self, factory: FramedFactory[Any], host: Host, accepts: Deadlines[Any]) -> None:
        """
        @param accepts: for slots whose OPEN was not accepted yet.
        """
        super().__init__(factory)
        self._host = host
        self._accepts = accepts
        self._phase = GREETING
        self._previous = 0
        self._kept = False

    # As an end of an exchange

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.  OPEN is sent in one write with the DONE of the last one.
        """
        self._previous = self._number
        self._number = number = nextExchange(self._number)
        self._relay = relay
        self._phase = OFFERED
        opening = frame(OPEN, number, openPayload(kind, once, client))
        self._accepts.start(self)
        self._tcp.write(b"".join((self.takeOwed(), opening, dataFrames(number, first))))

    def write(self, data: bytes) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._tcp.write(dataFrames(self._number, data))

    def end(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._tcp.write(frame(END, self._number))

    def done(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the app's connection can serve again.
        """
        self._endExchange()
        self._owe(keep)
        self._times.owing.start(self)
        self._host.exchangeOver(self)

    def recall(self) -> None:
        """
        Take the exchange back, unless the app has taken it up: the node sends REFUSE then.
        """
        if self._phase == OFFERED:
            self._tcp.write(frame(DONE, self._number, RECALL))

    def reset(self) -> None:
        """
        Abort the exchange.  See L{brxy.transport.relay.End}.
        """
        self._endExchange()
        self._phase = RESETTING
        self._accepts.stop(self)
        self._times.resets.start(self)
        self._tcp.write(frame(RESET, self._number))

    def notAccepted(self) -> None:
        """
        The instance does not answer: the exchange counts as lost.
        """
        relay = self._relay
        self._host.silent(self.instance)
        self.reset()
        if relay is not None:
            relay.aborted(self, f"not accepted within {ACCEPT_TIMEOUT:.0f} s")

    def isBetweenExchanges(self) -> bool:
        """
        See L{Framed}.
        """
        return self._phase == IDLE

    def _owe(self, keep: bool) -> None:
        self._kept = keep
        self._owed = doneFrame(self._number, keep)

    def _endExchange(self) -> Relay | None:
        relay, self._relay = self._relay, None
        self._phase = IDLE
        if self._holds:
            self.resume()
        return relay

    # As what an instance is reached by

    def named(self) -> Callable[[str], bool] | None:
        """
        @return: checks whether the certificate that the node has shown bears a name;
            L{None} if it has shown none.
        """
        shown = getattr(self.transport, "getPeerCertificate", lambda: None)()
        return None if shown is None else partial(bears, shown.to_cryptography())

    def letGo(self) -> None:
        """
        Nothing is left of the instance.  What it sent before, a REFUSE maybe,
        is still to be read; the end of the connection should follow.
        """
        self._quit()
        if self.alive:
            self._times.resets.start(self)

    def abort(self) -> None:
        """
        Close at once.  C{closed} comes in a later turn, and an exchange that
        was matched before that would be lost.
        """
        self._quit()
        super().abort()

    def _quit(self) -> None:
        if self.pulling:
            self.pulling = False
            self._host.leaves(self)

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._times.forget(self)
        if self._phase == GREETING:
            return
        relay, self._relay = self._relay, None
        self.pulling = False
        if self._phase != IDLE:
            self._host.exchangeOver(self)
        self._host.closed(self)
        if relay is not None:
            relay.aborted(self, "the node's slot was lost")
