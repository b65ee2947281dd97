"""
Where exchanges meet slots: performs what the broker decides.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import frozen

from brxy.broker.broker import Broker
from brxy.broker.decisions import Match, Reject
from brxy.broker.offer import Offer
from brxy.edge.events import Events, ExchangeLost
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.refusals import (
    HELD_TOO_LONG,
    LEAVING,
    TOO_MANY_HELD,
    TOO_MANY_HELD_FOR_ADDRESS,
    Refusal,
)
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import Exchange
from brxy.edge.supply import Supply
from brxy.reactor.alarm import Alarm
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.instance import Instance, State
from brxy.transport.connection import Shared
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Dispatch", "DispatchSnapshot", "Slot"]

_READY = State.READY

#: The answer to an exchange that the broker rejects, see L{Reject}.
_REJECTED = {"full": TOO_MANY_HELD, "address": TOO_MANY_HELD_FOR_ADDRESS}


class Slot(Protocol):
    """
    A slot, as it is matched with exchanges.
    """

    instance: Instance
    offer: Offer

    @property
    def pulling(self) -> bool:
        """
        It takes exchanges.
        """


@frozen
class DispatchSnapshot:
    """
    What a L{Dispatch} is doing, and what it has done since it was made.

    @ivar collecting: how many requests are not waiting yet, while their bodies come.
    @ivar collected: the bytes of request bodies that are collected.
    @ivar held: how many exchanges wait, by route.
    @ivar total_matched: matches of an exchange and a slot; an exchange that is offered
        again has several.
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
    total_matched: int
    total_held: int
    total_requeued: int
    total_lost: int
    total_expired: int
    total_rejected: Mapping[str, int]


class Dispatch:
    """
    Brings exchanges and slots together.

    Free slots stand in one queue, which is drained when the event that freed them is
    over: nothing of one exchange happens in the midst of another's step.  An exchange
    that is offered again therefore is back in its place before the slot that it lost
    is offered to the waiters.

    @ivar supply: provides the instances.  It needs the dispatch to be made itself, and
        is set when it is.
    @ivar retries: how many times an exchange that was lost is offered again.
    @ivar leaving: the edge is stopping: no client keeps its connection.
    @ivar responses: the exchanges that wait for the head of their response; L{None}
        without a limit on that time.
    @ivar events: receives the events of exchanges.
    @ivar buffer: the bodies of requests that are collected before these wait for a slot.
    """

    supply: Supply

    def __init__(
        self,
        shared: Shared,
        broker: Broker[Exchange, Any],
        *,
        retries: int,
        response_timeout: float | None,
        events: Events,
        buffer: RequestBuffer,
    ) -> None:
        self._seconds = shared.reactor.seconds
        self._broker = broker
        self._free: deque[Slot] = deque()
        self._alarm = Alarm(shared.reactor, self._expire)
        self._matched = self._held = self._requeued = self._lost = self._expired = 0
        self._rejected: Counter[str] = Counter()
        self.retries = retries
        self.events = events
        self.buffer = buffer
        self.leaving = False
        self.responses: Deadlines[HTTPCarrier] | None = None
        if response_timeout is not None:
            self.responses = Deadlines(shared.reactor, response_timeout, HTTPCarrier.silent)

    # Exchanges

    def wait(self, exchange: Exchange) -> None:
        """
        An exchange needs a slot: it is matched now, or held, or rejected.
        """
        if self._free:
            self.drain()
        decision = self._broker.wait(exchange, self._seconds())
        if type(decision) is Match:
            self._matched += 1
            exchange.carrier.matched(decision.slot)
        elif type(decision) is Reject:
            self._reject(exchange, _REJECTED[decision.reason])
        elif (refusal := self.supply.needed(exchange.route, exchange.address)) is not None:
            self._broker.cancel(exchange)
            self._reject(exchange, refusal)
        else:
            self._held += 1
            self._alarm.set(self._broker.nextDeadline())

    def requeue(self, exchange: Exchange) -> None:
        """
        An exchange was refused or lost, and is offered again.
        """
        self._requeued += 1
        decision = self._broker.requeue(exchange, self._seconds())
        if type(decision) is Match:
            self._match(decision)
        else:
            self.supply.needed(exchange.route, None)
            self._alarm.set(self._broker.nextDeadline())
        self.drain()

    def cancel(self, exchange: Exchange) -> None:
        """
        A held exchange needs no slot any more.
        """
        self._broker.cancel(exchange)
        self.supply.waiterLeft(exchange.route)

    def lost(self, exchange: Exchange, reason: str) -> None:
        """
        The slot or the app broke an exchange off, and it can't be offered again.

        @param reason: one line for the log.
        """
        self._lost += 1
        self.events.emit(ExchangeLost(exchange.route, reason))

    def answered(self, instance: Instance) -> None:
        """
        An instance has served its first complete exchange.
        """
        self.supply.answered(instance)

    def reject(self, route: str, refusal: Refusal) -> None:
        """
        Answer every exchange that waits for a route.
        """
        for exchange in self._broker.takeAll(route):
            self._reject(exchange, refusal)

    def rejectAll(self) -> None:
        """
        Answer every exchange that waits, or will, since the edge is stopping.
        """
        for exchange in self.buffer.collecting():
            self._reject(exchange, LEAVING)
        for route in self._broker.routes():
            self.reject(route, LEAVING)

    def _reject(self, exchange: Exchange, refusal: Refusal) -> None:
        self._rejected[refusal.text] += 1
        exchange.carrier.reject(refusal)

    def _expire(self) -> None:
        for expire in self._broker.expire(self._seconds()):
            self._expired += 1
            self._reject(expire.waiter, HELD_TOO_LONG)
            self.supply.waiterLeft(expire.waiter.route)
        self._alarm.set(self._broker.nextDeadline())

    # Slots

    def free(self, slot: Slot) -> None:
        """
        A slot can take an exchange now.
        """
        if slot not in self._free:
            self._free.append(slot)
        self.drain()

    def drain(self) -> None:
        """
        The current event is over: offer the free slots to the exchanges that wait.
        """
        free = self._free
        while free:
            slot = free.popleft()
            instance = slot.instance
            # A retired instance may not know yet that it is.
            if instance.state is not _READY and not self.supply.pulls(instance):
                continue
            match = self._broker.ready(slot)
            if match is not None:
                self._match(match)
            elif self.supply.short:
                self.supply.idled(instance)

    def exchangeOver(self, slot: Slot) -> None:
        """
        The exchange on a slot is over.  If the slot still pulls, it is free when the
        event is over.
        """
        self._broker.finish(slot)
        if slot.pulling:
            self._free.append(slot)

    def leaves(self, slot: Slot) -> None:
        """
        A slot will be gone in a moment, and must not be matched until then.
        """
        if slot in self._free:
            self._free.remove(slot)
        self._broker.withdraw(slot)

    def unready(self, slot: Slot, refusal: str = "") -> None:
        """
        A slot takes no more exchanges.

        @param refusal: see L{Supply.unready}.
        """
        self.leaves(slot)
        self.supply.unready(slot.instance, refusal)

    def closed(self, slot: Slot) -> None:
        """
        A node's slot is gone.
        """
        self.leaves(slot)
        self.supply.closed(slot)

    def withdrawAll(self, instance: Instance) -> None:
        """
        An instance gets no more exchanges.
        """
        self._broker.withdrawAll(instance.offer)

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and did not accept it: it gets no more until it
        answers.
        """
        if not instance.offer.suspended:
            # Its other slots may have taken exchanges that it does not accept either.
            self._broker.suspend(instance.offer)
            self.supply.silent(instance)

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """
        self.supply.answers(instance)
        for match in self._broker.restore(instance.offer):
            self._match(match)

    def hello(self, slot: Any, hello: Hello) -> Welcome:
        """
        See L{Supply.hello}.
        """
        return self.supply.hello(slot, hello)

    def roll(self, route: str) -> None:
        """
        See L{Supply.roll}.
        """
        self.supply.roll(route)

    def _match(self, match: Match[Exchange, Any]) -> None:
        self._matched += 1
        match.waiter.carrier.matched(match.slot)

    # All of it

    def snapshot(self) -> DispatchSnapshot:
        """
        What it is doing and has done.
        """
        return DispatchSnapshot(
            len(self.buffer.collecting()),
            self.buffer.size,
            self._broker.snapshot().held,
            self._matched,
            self._held,
            self._requeued,
            self._lost,
            self._expired,
            dict(self._rejected),
        )

    def leave(self) -> None:
        """
        The edge is stopping: no client keeps its connection from now on.
        """
        self.leaving = True

    def stop(self) -> None:
        """
        Leave no timer behind.
        """
        self._alarm.stop()
        if self.responses is not None:
            self.responses.stopAll()
