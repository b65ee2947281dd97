"""
Where demand and reach meet: asks the broker and the scaler, and performs what
they decide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from brxy.broker.broker import Broker
from brxy.broker.decisions import Expire, Match, Reject
from brxy.broker.quota import Wakes
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import Spawning
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.table import Exchange
from brxy.edge.fleet.reaches import Reaches
from brxy.edge.fleet.starter import Starter
from brxy.edge.slots.access import Access
from brxy.edge.slots.direct import DirectSlot
from brxy.edge.slots.front import Front
from brxy.edge.slots.node import NodeSlot
from brxy.edge.slots.reach import NodeReach
from brxy.errors import NodeRefused
from brxy.interfaces import Address, Gone
from brxy.reactor.deadlines import Deadlines
from brxy.scaler.decisions import Buried, Fail, Newest, Recount, Retire, RollFailed, Spawn, Stop
from brxy.scaler.instance import Instance, State
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared
from brxy.values.routename import routeName
from brxy.wire.frames import VERSION
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Brokerage"]

_READY = State.READY

#: What the client of an exchange is told that can't be held: see L{Reject}.
_REJECTED = {
    "full": (503, "too many requests are held already", 1),
    "address": (429, "too many of your requests are held already", 1),
}


class Brokerage:
    """
    Brings exchanges and slots together, and has instances started and ended.

    @ivar retries: how often an exchange that got lost is offered again.
    @ivar over: to be called when the exchange on a slot is over; the slot may
        not be free yet.
    @ivar leaving: the edge serves those who are here, and then stops.
    @ivar responses: exchanges that wait for the head of their response, if
        there is a limit on that.
    @param edge_id: the name of this edge.
    @param access: who may be a node.
    @param changed: called when the instances that are alive have changed.
    """

    _log = Logger()

    def __init__(
        self,
        shared: Shared,
        broker: Broker[Exchange, Any],
        scaler: Scaler,
        *,
        edge_id: str,
        access: Access,
        retries: int,
        response_timeout: float | None,
        limits: Limits,
        changed: Callable[[], None],
    ) -> None:
        self._shared = shared
        self._seconds = shared.reactor.seconds
        self._broker = broker
        self._scaler = scaler
        self._edge_id = edge_id
        self._access = access
        self._reaches = Reaches(changed)
        self._timer: IDelayedCall | None = None
        self._max_routes = limits.max_routes
        self._wakes = Wakes(limits.wake_burst, limits.wake_rate)
        self._lacking = scaler.lacking
        self._recounts: deque[str] = deque()
        self._recounting = False
        self.over: Callable[[NodeSlot | DirectSlot], None] = broker.finish
        self.retries = retries
        self._said_goodbye = False
        self.leaving = False
        self._stopped = False
        self.responses: Deadlines[HTTPCarrier] | None = None
        if response_timeout is not None:
            self.responses = Deadlines(shared.reactor, response_timeout, HTTPCarrier.silent)

    def useStarter(self, starter: Starter) -> None:
        """
        Have orders performed, from now on.
        """
        self._reaches.useStarter(starter)

    # Exchanges

    def wait(self, exchange: Exchange) -> None:
        """
        An exchange wants a slot: it gets one now, is held, or is rejected.
        """
        decision = self._broker.wait(exchange, self._seconds())
        if type(decision) is Match:
            exchange.carrier.matched(decision.slot)
        elif isinstance(decision, Reject):
            exchange.carrier.reject(*_REJECTED[decision.reason])
        elif (refusal := self._refusal(exchange)) is not None:
            self._broker.cancel(exchange)
            exchange.carrier.reject(*refusal)
        else:
            self._held(exchange.route, exchange.address)

    def _refusal(self, exchange: Exchange) -> tuple[int, str, int] | None:
        """
        Why somebody who has come to wait may not have an app woken, if not: a status,
        a text, and seconds to try again after.
        """
        route, now = exchange.route, self._seconds()
        if self._broker.held(route) > 1 or not self._scaler.wakesUnnamed(route, now):
            return None
        routes = self._scaler.knownRoutes()
        if 0 < self._max_routes <= routes and not self._scaler.knows(route):
            return 503, "too many apps are asked for", 10
        wait = self._wakes.take(exchange.address, now)
        return (429, "you have too many apps started", ceil(wait)) if wait else None

    def requeue(self, exchange: Exchange) -> None:
        """
        An exchange that a slot did not serve is offered again.
        """
        decision = self._broker.requeue(exchange, self._seconds())
        if type(decision) is Match:
            self._match(decision)
        else:
            self._held(exchange.route)

    def cancel(self, exchange: Exchange) -> None:
        """
        The client of a held exchange hung up.
        """
        self._broker.cancel(exchange)
        self._left(exchange.route)

    def _left(self, route: str) -> None:
        # A route that nobody waits for lacks no instances any more.
        if self._lacking and not self._broker.held(route):
            self._demand(route)

    def answered(self, instance: Instance) -> None:
        """
        An instance has served its first whole exchange.
        """
        self._perform(self._scaler.answered(instance, self._seconds()))
        self._arm()

    def _held(self, route: str, waker: str | None = None) -> None:
        held = self._broker.held(route)
        decisions = self._scaler.demand(route, held, self._seconds(), waker)
        # While the breaker is open nobody is held for long.
        doomed = any(type(each) is Fail for each in decisions)
        if held == 1 and not doomed and not self._scaler.hasReady(route):
            self._log.info("{route}: holding clients, no instance is ready", route=route)
        self._perform(decisions)
        self._arm()

    # Slots

    def hello(self, slot: NodeSlot, hello: Hello) -> Welcome:
        """
        A node introduces itself on a slot.

        @raise NodeRefused: it can't serve here.
        """
        self._access.check(hello, slot.named())
        if routeName(hello.route) != hello.route:
            raise NodeRefused(f"{hello.route!r} is no route")
        if self._said_goodbye:
            raise NodeRefused("the edge is leaving")
        instance, decisions = self._scaler.hello(
            hello.ticket,
            hello.instance,
            hello.route,
            hello.capacity,
            hello.generation,
            self._seconds(),
        )
        reach = self._reaches.node(instance, hello.instance, bool(hello.ticket))
        slot.instance = instance
        slot.offer = instance.offer
        self._scaler.slotOpened(instance)
        self._perform(decisions)
        # From here on, since WELCOME says whether it is the newest.
        reach.slots.add(slot)
        return Welcome(VERSION, self._edge_id, instance.generation, instance.newest)

    def free(self, slot: NodeSlot | DirectSlot) -> None:
        """
        A slot can take an exchange now.
        """
        instance = slot.instance
        if instance.state is not _READY and not self._ready(instance):
            # It was told to go, and has not heard it yet.
            return
        match = self._broker.ready(slot)
        if match is not None:
            self._match(match)
        elif self._lacking:
            self._perform(self._scaler.idled(instance))

    def _ready(self, instance: Instance) -> bool:
        first = instance.ready_since is None
        self._perform(self._scaler.ready(instance, self._seconds()))
        self._arm()
        if first and instance.state == State.READY:
            ms = (self._seconds() - instance.ordered_at) * 1e3
            self._reaches.note(instance, "ready after {ms:.0f} ms", ms=ms)
        return instance.state == State.READY

    def unready(self, slot: NodeSlot | DirectSlot) -> None:
        """
        A slot takes nothing more.
        """
        instance = slot.instance
        self._broker.withdraw(slot)
        reach = self._reaches.get(instance)
        if reach is not None and not reach.standing and instance.state == State.READY:
            self._reaches.note(instance, "drains")
            self._perform(self._scaler.unready(instance))

    def leaves(self, slot: NodeSlot) -> None:
        """
        A node's slot will be gone in a moment, and must not be matched until then.
        """
        self._broker.withdraw(slot)

    def closed(self, slot: NodeSlot) -> None:
        """
        A node's slot is gone.
        """
        instance = slot.instance
        self._broker.withdraw(slot)
        reach = self._reaches.get(instance)
        if isinstance(reach, NodeReach):
            reach.slots.discard(slot)
        self._perform(self._scaler.slotClosed(instance, self._seconds()))
        self._arm()

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and does not answer.
        """
        self._reaches.note(instance, "does not answer, and gets nothing more until it does")
        self._broker.suspend(instance.offer)
        self._demand(instance.route)

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """
        self._reaches.note(instance, "answers again")
        self._perform(self._broker.restore(instance.offer))

    def roll(self, route: str) -> None:
        """
        Replace the instances of a route by newer ones.
        """
        self._log.info("{route}: rolls", route=route)
        self._perform(self._scaler.roll(route, self._seconds()))
        self._arm()

    def rollAll(self) -> None:
        """
        Replace every instance by a newer one.
        """
        for route in self._scaler.routes():
            self.roll(route)

    # Instances, as their spawners see them

    def fronted(self, instance: Instance, address: Address, spawning: Spawning) -> None:
        """
        An instance can be reached at an address: the edge fronts it.
        """
        if instance.state == State.GONE:
            return
        front = Front(
            self._shared,
            self,
            instance,
            address,
            spawning.idle_timeout,
            spawning.old_idle_timeout,
            lambda: self._reaches.stop(instance),
            spawning.send_proxy,
        )
        self._reaches.front(instance, front)
        self._perform(self._scaler.fronted(instance.ticket))
        # One that never was the newest was not told so; a node is by WELCOME.
        front.setNewest(instance.newest)
        front.start()

    def gone(self, instance: Instance, gone: Gone) -> None:
        """
        A spawner says that an instance has ended.
        """
        self._perform(
            self._scaler.gone(instance.ticket, gone.reason, gone.detached, self._seconds())
        )
        self._arm()
        if instance.state != State.GONE:
            self._reaches.note(
                instance, "its command ended ({reason}), its node may not have", reason=gone.reason
            )

    def withdrawn(self, instance: Instance) -> None:
        """
        Somebody else has an instance ended.
        """
        self._perform(self._scaler.withdrawn(instance.ticket))
        self._arm()

    def unfound(self, instance: Instance) -> None:
        """
        Nobody can say what became of an instance of an earlier run.
        """
        self._perform(self._scaler.unfound(instance.ticket, self._seconds()))
        self._arm()

    def failed(self, instance: Instance, reason: str) -> None:
        """
        An instance could not even be started.
        """
        self._log.warn("{route}: can't be started: {reason}", route=instance.route, reason=reason)
        self._perform(self._scaler.failed(instance.ticket, reason, self._seconds()))
        self._arm()

    # Performing what was decided

    def _demand(self, route: str) -> None:
        # One that needs nothing more passes its turn on: a loop, not a recursion,
        # however many routes are in the line for room.
        self._recounts.append(route)
        if self._recounting:
            return
        self._recounting = True
        try:
            while self._recounts:
                route = self._recounts.popleft()
                held = self._broker.held(route)
                self._perform(self._scaler.demand(route, held, self._seconds()))
        finally:
            self._recounting = False
        self._arm()

    def _perform(self, decisions: Iterable[Any]) -> None:
        for decision in decisions:
            _PERFORM[type(decision)](self, decision)

    def _match(self, match: Match[Exchange, Any]) -> None:
        match.waiter.carrier.matched(match.slot)

    def _expire(self, expire: Expire[Exchange]) -> None:
        expire.waiter.carrier.reject(503, "no instance became free in time", 1)
        self._left(expire.waiter.route)

    def _retire(self, instance: Instance) -> None:
        self._broker.withdrawAll(instance.offer)
        self._reaches.retire(instance)

    def _bury(self, buried: Buried) -> None:
        self._broker.withdrawAll(buried.instance.offer)
        self._reaches.bury(buried.instance, buried.reason)

    def _fail(self, fail: Fail) -> None:
        for exchange in self._broker.takeAll(fail.route):
            exchange.carrier.reject(
                503, "the app can't be started now", max(1, ceil(fail.retry_after))
            )

    def _rollFailed(self, failed: RollFailed) -> None:
        self._log.warn(
            "{route}: the roll ends: {reason}", route=failed.route, reason=failed.reason
        )

    # Time

    def _arm(self) -> None:
        due = [
            at
            for at in (self._broker.nextDeadline(), self._scaler.nextDeadline())
            if at is not None
        ]
        # Connections that were cut at the end are lost after it.
        if not due or self._stopped:
            return
        at = min(due)
        if self._timer is not None:
            if self._timer.getTime() <= at + 0.01:
                return
            self._timer.cancel()
        delay = max(0.0, at - self._seconds())
        self._timer = self._shared.reactor.callLater(delay, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._seconds()
        self._perform(self._broker.expire(now))
        self._perform(self._scaler.tick(now))
        self._arm()

    # The end

    def sayGoodbye(self) -> None:
        """
        The edge leaves: tell the instances.  No node is let in any more.
        """
        self._said_goodbye = True
        self._reaches.sayGoodbye()

    def rejectHeld(self) -> None:
        """
        Answer everybody who is still held.
        """
        for route in list(self._broker.routes()):
            for exchange in self._broker.takeAll(route):
                exchange.carrier.reject(503, "the edge is going down", 1)

    def stop(self) -> None:
        """
        Let go of the reactor.
        """
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.responses is not None:
            self.responses.stopAll()


#: How each decision is performed.
_PERFORM: dict[type, Callable[[Brokerage, Any], None]] = {
    Match: lambda self, match: match.waiter.carrier.matched(match.slot),
    Expire: Brokerage._expire,
    Spawn: lambda self, spawn: self._reaches.order(spawn.instance),
    Retire: lambda self, retire: self._retire(retire.instance),
    Stop: lambda self, stop: self._reaches.end(stop.instance, stop.reason),
    Newest: lambda self, told: self._reaches.setNewest(told.instance, told.newest),
    Recount: lambda self, recount: self._demand(recount.route),
    Buried: Brokerage._bury,
    Fail: Brokerage._fail,
    RollFailed: Brokerage._rollFailed,
}
