"""
Which exchange gets which slot, and which have to wait: performs what the broker decides.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from brxy.broker.broker import Broker
from brxy.broker.decisions import Match, Probe, Recall, Reject
from brxy.broker.gates import STOPPED
from brxy.edge.events import Events, ExchangeLost
from brxy.edge.exchanges.holds import Holds
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.refusals import (
    HELD_TOO_LONG,
    LEAVING,
    TOO_MANY_HELD,
    TOO_MANY_HELD_FOR_ADDRESS,
    Refusal,
    stopped,
)
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.snapshot import DispatchSnapshot
from brxy.edge.exchanges.table import Exchange, Input
from brxy.edge.records.records import Records
from brxy.edge.supply import Slot, Supply
from brxy.reactor.alarm import Alarm
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.instance import Instance, State
from brxy.transport.connection import Shared

__all__ = ["PATIENCE", "DispatchSnapshot", "Matching", "Slot"]

_READY = State.READY

#: The answer to an exchange that the broker rejects, see L{Reject}.
_REJECTED = {"full": TOO_MANY_HELD, "address": TOO_MANY_HELD_FOR_ADDRESS}

_Decision = Match[Exchange, Any] | Probe[Exchange, Any] | Recall[Exchange]

# A probe that was not taken up within this (seconds) finds its instance full.
PATIENCE = 0.02


class Matching:
    """
    Brings exchanges and slots together: the side of the exchanges.

    Free slots stand in one queue, which is drained when the event that freed them is
    over: nothing of one exchange happens in the midst of another's step.  An exchange
    that is offered again therefore is back in its place before the slot that it lost
    is offered to the waiters.

    @ivar supply: provides the instances.  It needs this object to be made itself, and
        is set when it is.
    @ivar retries: how many times an exchange that was lost is offered again.
    @ivar leaving: the edge is stopping: no client keeps its connection.
    @ivar handed_over: another edge gets new exchanges.
    @ivar responses: the exchanges that wait for the head of their response; L{None}
        without a limit on that time.
    @ivar events: receives the events of exchanges.
    @ivar buffer: the bodies of requests that are collected before these wait for a slot.
    @ivar records: see L{brxy.edge.exchanges.ends.Dispatcher}.
    @ivar gates: the routes that are paused or stopped.
    @ivar holds: the exchanges that are held.
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
        records: Records,
    ) -> None:
        self._seconds = shared.reactor.seconds
        self._broker = broker
        self._free: deque[Slot] = deque()
        self._alarm = Alarm(shared.reactor, self._expire)
        self._matched = self._probes = self._held = self._requeued = self._lost = self._expired = 0
        self._not_at_once = 0
        self._patience: Deadlines[Exchange] = Deadlines(shared.reactor, PATIENCE, self._stands)
        self._rejected: Counter[str] = Counter()
        self.retries = retries
        self.events = events
        self.buffer = buffer
        self.records = records
        self.holds = Holds(shared.reactor.seconds, records.hasReady)
        self.gates = broker.gates
        self.leaving = self.handed_over = False
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
            # Not counted here: it is what the broker has matched at once.
            exchange.carrier.matched(decision.slot)
            return
        self._not_at_once += 1
        if type(decision) is Reject:
            self._reject(exchange, _REJECTED[decision.reason])
        elif type(decision) is Probe:
            self._probe(decision)
        else:
            exchange.carrier.held()
            self.holds.begin(exchange)
            refusal = self._needs(exchange, exchange.address)
            if refusal is not None:
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
        self._patience.stop(exchange)
        decision = self._broker.requeue(exchange, self._seconds())
        if type(decision) is Match:
            self._match(decision)
        elif type(decision) is Probe:
            self._probe(decision)
        else:
            exchange.carrier.held()
            self.holds.begin(exchange)
            refusal = self._needs(exchange, None)
            if refusal is not None:
                self._broker.cancel(exchange)
                self._reject(exchange, refusal)
            self._alarm.set(self._broker.nextDeadline())
        self.drain()

    def _needs(self, exchange: Exchange, waker: str | None) -> Refusal | None:
        """
        An exchange waits.

        @param waker: the address of the client, if it has just come.
        @return: why it may not wait, if it may not.
        """
        gate = self.gates.closed.get(exchange.route)
        if gate is not None and gate.kind is STOPPED:
            return stopped(gate.message)
        return self.supply.needed(exchange.route, waker)

    def taken(self, exchange: Exchange) -> None:
        """
        The app has taken up an exchange that was a probe.
        """
        self._matched += 1
        self.holds.serve(exchange)
        self._patience.stop(exchange)
        self.perform(exchange.route, self._broker.taken(exchange))

    def cancel(self, exchange: Exchange) -> None:
        """
        An exchange that is held or probed needs no slot any more.
        """
        self._patience.stop(exchange)
        self.holds.end(exchange)
        recall = self._broker.cancel(exchange)
        self.supply.waiterLeft(exchange.route)
        self.perform(exchange.route, recall)

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
        for route in self._broker.snapshot().held:
            self.reject(route, LEAVING)

    def _reject(self, exchange: Exchange, refusal: Refusal) -> None:
        self._patience.stop(exchange)
        self.holds.end(exchange)
        self._rejected[refusal.text] += 1
        exchange.carrier.reject(refusal)

    def _expire(self) -> None:
        for expire in self._broker.expire(self._seconds()):
            self._expired += 1
            self._reject(expire.waiter, HELD_TOO_LONG)
            self.supply.waiterLeft(expire.waiter.route)
        self._alarm.set(self._broker.nextDeadline())

    def drain(self) -> None:
        """
        The current event is over: offer the free slots to the exchanges that wait.
        """
        free = self._free
        while free:
            slot = free.popleft()
            instance = slot.instance
            # A retired instance may not know yet that it is.
            if instance.state is not _READY:
                if not self.supply.pulls(instance):
                    continue
                if instance.route in self.gates.closed:
                    self._broker.pause(instance.offer)
            decision = self._broker.ready(slot)
            if decision is None:
                if self.supply.short:
                    self.supply.idled(instance)
            elif type(decision) is Match:
                self._match(decision)
            else:
                self.perform(instance.route, decision)

    def perform(self, route: str, decision: _Decision | None) -> None:
        """
        Perform a decision of the broker, and those that follow from it.
        """
        while decision is not None:
            if type(decision) is Match:
                self._match(decision)
            elif type(decision) is Probe:
                self._probe(decision)
            else:
                decision.waiter.carrier.recall()
            decision = self._broker.more(route)

    def _match(self, match: Match[Exchange, Any]) -> None:
        self._matched += 1
        self.holds.serve(match.waiter)
        match.waiter.carrier.matched(match.slot)

    def _probe(self, probe: Probe[Exchange, Any]) -> None:
        exchange = probe.waiter
        self._probes += 1
        exchange.probed_at = self._seconds()
        self._patience.start(exchange)
        exchange.carrier.matched(probe.slot, Input.PROBED)
        # It may have been taken up, or be over, already.
        if exchange.held:
            self.supply.needed(exchange.route, None)
            self._alarm.set(self._broker.nextDeadline())

    def _stands(self, exchange: Exchange) -> None:
        # One that is not held was recalled, which says nothing about its instance.
        if not exchange.held:
            return
        slot = exchange.carrier.far
        if self._seconds() < exchange.probed_at + PATIENCE + 2 * slot.roundTrip():
            # No answer can have come from a node that is that far.
            self._patience.start(exchange)
        else:
            self.supply.full(slot.instance)
            self.perform(exchange.route, self._broker.stands(exchange))

    # All of it

    def held(self, route: str) -> int:
        """
        @return: how many exchanges wait for a route.
        """
        return self._broker.held(route)

    def snapshot(self) -> DispatchSnapshot:
        """
        What it is doing and has done.
        """
        known = self._broker.snapshot()
        return DispatchSnapshot(
            len(self.buffer.collecting()),
            self.buffer.size,
            known.held,
            self.holds.oldest(),
            known.total - self._not_at_once + self._matched,
            self.holds.queued,
            self.holds.cold,
            self._probes,
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
        self._patience.stopAll()
        self.records.stop()
        if self.responses is not None:
            self.responses.stopAll()
