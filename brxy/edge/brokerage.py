"""
Where demand and supply meet: asks the broker and the scaler, and performs what
they decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from brxy.connection import Shared
from brxy.deadlines import Deadlines
from brxy.edge.broker import Broker, Expire, Held, Match
from brxy.edge.carrier import HTTPCarrier, SlotEnd
from brxy.edge.direct import DirectSlot, Front
from brxy.edge.exchange import Exchange
from brxy.edge.instance import Instance, State
from brxy.edge.scaler import Scaler
from brxy.edge.decisions import Buried, Fail, Newest, Recount, Retire, RollFailed, Spawn, Stop
from brxy.edge.slot import NodeSlot
from brxy.edge.starter import Spawning, Starter
from brxy.errors import NodeRefused
from brxy.hostname import routeName
from brxy.interfaces import Address, Gone
from brxy.wire import FLAGS, GOAWAY, NEWEST, RETIRE, VERSION, Hello, Welcome

__all__ = ["Brokerage"]


class Supply(Protocol):
    """
    What the edge can say to an instance, wherever it runs.
    """

    @property
    def standing(self) -> bool:
        """
        It still takes exchanges.
        """

    def setNewest(self, newest: bool) -> None: ...

    def retire(self) -> None: ...

    def goAway(self) -> None: ...

    def close(self) -> None: ...


class NodeSupply:
    """
    An instance behind a node: what it is told goes over its slots.

    @ivar slots: those it has open.
    @ivar spawned: it was started for an edge's order.
    """

    def __init__(self, spawned: bool) -> None:
        self.slots: set[NodeSlot] = set()
        self.spawned = spawned

    @property
    def standing(self) -> bool:
        """
        It still takes exchanges.
        """
        return any(slot.standing for slot in self.slots)

    def setNewest(self, newest: bool) -> None:
        """
        There is a newer instance of its route, or none.
        """
        self._tell(NEWEST, FLAGS[newest])

    def retire(self) -> None:
        """
        Drain and go.
        """
        self._tell(RETIRE)

    def goAway(self) -> None:
        """
        This edge leaves: finish, then dial again.
        """
        self._tell(GOAWAY)

    def close(self) -> None:
        """
        It is gone, and so are its slots.
        """
        for slot in list(self.slots):
            slot.abort()

    def _tell(self, kind: int, payload: bytes = b"") -> None:
        # On all of them: any one may be stuck behind data that nobody reads.
        for slot in self.slots:
            slot.tell(kind, payload)


class Brokerage:
    """
    Brings exchanges and slots together, and has instances started and ended.

    @ivar retries: how often an exchange that got lost is offered again.
    @ivar leaving: the edge is about to stop.
    @ivar responses: exchanges that wait for the head of their response, if
        there is a limit on that.
    @param edge_id: the name of this edge.
    @param token: what nodes must bring; C{""} if nothing.
    @param changed: called when the instances that are alive have changed.
    """

    _log = Logger()

    def __init__(
        self,
        shared: Shared,
        broker: Broker,
        scaler: Scaler,
        *,
        edge_id: str,
        token: str,
        retries: int,
        response_timeout: float | None,
        changed: Callable[[], None],
    ) -> None:
        self._shared = shared
        self._seconds = shared.reactor.seconds
        self._broker = broker
        self._scaler = scaler
        self._edge_id = edge_id
        self._token = token
        self._changed = changed
        self._supplies: dict[Instance, Supply] = {}
        self._starter: Starter | None = None
        self._timer: IDelayedCall | None = None
        self._cold: set[str] = set()
        self.retries = retries
        self.leaving = False
        self.responses: Deadlines[HTTPCarrier] | None = None
        if response_timeout is not None:
            self.responses = Deadlines(shared.reactor, response_timeout, HTTPCarrier.silent)

    def useStarter(self, starter: Starter) -> None:
        """
        Have orders performed, from now on.
        """
        self._starter = starter

    # Exchanges

    def wait(self, exchange: Exchange) -> None:
        """
        An exchange wants a slot: it gets one now, is held, or is rejected.
        """
        decision = self._broker.wait(exchange, self._seconds())
        if type(decision) is Match:
            self._match(decision)
        elif type(decision) is Held:
            self._held(exchange.route)
        else:
            exchange.carrier.reject(503, "too many requests are held already", 1)

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

    def answered(self, instance: Instance) -> None:
        """
        An instance has served a whole exchange.
        """
        if not instance.answered:
            self._scaler.answered(instance, self._seconds())

    def lost(self, exchange: Exchange, reason: str) -> None:
        """
        An exchange broke off and can't be offered again.
        """
        self._log.warn("{route}: an exchange was lost: {reason}", route=exchange.route, reason=reason)

    def badResponse(self, route: str, reason: str) -> None:
        """
        What an app sent can't be passed on.
        """
        self._log.warn("{route}: bad response: {reason}", route=route, reason=reason)

    def _held(self, route: str) -> None:
        if route not in self._cold and not self._scaler.hasReady(route):
            self._cold.add(route)
            self._log.info("{route}: holding clients, no instance is ready", route=route)
        self._demand(route)

    # Slots

    def hello(self, slot: NodeSlot, hello: Hello) -> Welcome:
        """
        A node introduces itself on a slot.

        @raise NodeRefused: it can't serve here.
        """
        if self._token and hello.token != self._token:
            raise NodeRefused("its token is not the edge's")
        if routeName(hello.route) != hello.route:
            raise NodeRefused(f"{hello.route!r} is no route")
        if self.leaving:
            raise NodeRefused("the edge is leaving")
        instance, decisions = self._scaler.hello(
            hello.ticket,
            hello.instance,
            hello.route,
            hello.capacity,
            hello.generation,
            self._seconds(),
        )
        supply = self._supplies.get(instance)
        if not isinstance(supply, NodeSupply):
            supply = self._supplies[instance] = NodeSupply(bool(hello.ticket))
            self._log.info(
                "{route}/{ticket}: node {node} dialled in",
                route=instance.route,
                ticket=instance.ticket,
                node=hello.instance,
            )
        slot.instance = instance
        self._scaler.slotOpened(instance)
        self._perform(decisions)
        supply.slots.add(slot)
        self._changed()
        return Welcome(VERSION, self._edge_id, instance.generation, instance.newest)

    def free(self, slot: NodeSlot | DirectSlot) -> None:
        """
        A slot can take an exchange now.
        """
        instance = slot.instance
        if instance.state != State.READY:
            self._ready(instance)
            if instance.state != State.READY:
                # It was told to go, and has not heard it yet.
                return
        match = self._broker.ready(slot)
        if match is not None:
            self._match(match)
        elif self._scaler.isShort:
            self._perform(self._scaler.idled(instance))

    def _ready(self, instance: Instance) -> None:
        fresh = instance.state != State.DRAINING
        self._perform(self._scaler.ready(instance, self._seconds()))
        self._arm()
        if fresh and instance.state == State.READY:
            self._cold.discard(instance.route)
            self._log.info(
                "{route}/{ticket}: ready after {ms:.0f} ms",
                route=instance.route,
                ticket=instance.ticket,
                ms=(self._seconds() - instance.ordered_at) * 1e3,
            )

    def over(self, slot: NodeSlot | DirectSlot) -> None:
        """
        The exchange on a slot is over; the slot may not be free yet.
        """
        self._broker.finish(slot)

    def unready(self, slot: NodeSlot | DirectSlot) -> None:
        """
        A slot takes nothing more.
        """
        instance = slot.instance
        self._broker.withdraw(slot)
        supply = self._supplies.get(instance)
        if supply is not None and not supply.standing and instance.state == State.READY:
            self._log.info("{route}/{ticket}: drains", route=instance.route, ticket=instance.ticket)
            self._perform(self._scaler.unready(instance))

    def closed(self, slot: NodeSlot) -> None:
        """
        A node's slot is gone.
        """
        instance = slot.instance
        self._broker.withdraw(slot)
        supply = self._supplies.get(instance)
        if isinstance(supply, NodeSupply):
            supply.slots.discard(slot)
        self._perform(self._scaler.slotClosed(instance, self._seconds()))
        self._arm()

    def silent(self, instance: Instance) -> None:
        """
        An instance took an exchange and does not answer.
        """
        self._log.warn(
            "{route}/{ticket}: does not answer, and gets nothing more until it does",
            route=instance.route,
            ticket=instance.ticket,
        )
        self._broker.suspend(instance)
        self._demand(instance.route)

    def answers(self, instance: Instance) -> None:
        """
        An instance that was silent answers again.
        """
        self._log.info("{route}/{ticket}: answers again", route=instance.route, ticket=instance.ticket)
        self._perform(self._broker.restore(instance))

    def roll(self, route: str) -> None:
        """
        Replace the instances of a route by newer ones.
        """
        self._log.info("{route}: rolls", route=route)
        self._perform(self._scaler.roll(route, self._seconds()))
        self._arm()

    # Instances, as their spawners see them

    def fronted(self, instance: Instance, address: Address, spawning: Spawning) -> None:
        """
        An instance can be reached at an address: the edge fronts it.
        """
        if instance.state == State.GONE or self._starter is None:
            return
        starter = self._starter
        front = Front(
            self._shared,
            self,
            instance,
            address,
            spawning.idle_timeout,
            spawning.old_idle_timeout,
            lambda: starter.stop(instance),
        )
        self._supplies[instance] = front
        self._perform(self._scaler.fronted(instance.ticket))
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
            self._log.info(
                "{route}/{ticket}: its command ended ({reason}), its node may not have",
                route=instance.route,
                ticket=instance.ticket,
                reason=gone.reason,
            )

    def failed(self, instance: Instance, reason: str) -> None:
        """
        An instance could not even be started.
        """
        self._log.warn("{route}: can't be started: {reason}", route=instance.route, reason=reason)
        self._perform(self._scaler.failed(instance.ticket, reason, self._seconds()))
        self._arm()

    # Performing what was decided

    def _demand(self, route: str) -> None:
        held = self._broker.held(route)
        self._perform(self._scaler.demand(route, held, self._seconds()))
        self._arm()

    def _perform(self, decisions: Iterable[Any]) -> None:
        for decision in decisions:
            _PERFORM[type(decision)](self, decision)

    def _match(self, match: Match) -> None:
        match.waiter.carrier.matched(match.slot)

    def _expire(self, expire: Expire) -> None:
        expire.waiter.carrier.reject(503, "no instance became free in time", 1)

    def _spawn(self, spawn: Spawn) -> None:
        instance = spawn.instance
        self._log.info(
            "{route}/{ticket}: ordered", route=instance.route, ticket=instance.ticket
        )
        assert self._starter is not None, "an order before there is anybody to perform it"
        self._starter.start(instance)

    def _retire(self, retire: Retire) -> None:
        instance = retire.instance
        for slot in list(instance.ready):
            self._broker.withdraw(slot)
        self._log.info("{route}/{ticket}: retires", route=instance.route, ticket=instance.ticket)
        supply = self._supplies.get(instance)
        if supply is not None:
            supply.retire()

    def _stop(self, stop: Stop) -> None:
        instance = stop.instance
        self._log.warn(
            "{route}/{ticket}: given up: {reason}",
            route=instance.route,
            ticket=instance.ticket,
            reason=stop.reason,
        )
        if self._starter is not None:
            self._starter.stop(instance)

    def _bury(self, buried: Buried) -> None:
        instance = buried.instance
        self._log.info(
            "{route}/{ticket}: gone: {reason}",
            route=instance.route,
            ticket=instance.ticket,
            reason=buried.reason,
        )
        for slot in list(instance.ready):
            self._broker.withdraw(slot)
        supply = self._supplies.pop(instance, None)
        if supply is not None:
            supply.close()
        if self._starter is not None:
            self._starter.forget(instance)
        self._changed()

    def _recount(self, recount: Recount) -> None:
        self._demand(recount.route)

    def _setNewest(self, decision: Newest) -> None:
        supply = self._supplies.get(decision.instance)
        if supply is not None:
            supply.setNewest(decision.newest)

    def _fail(self, fail: Fail) -> None:
        for exchange in self._broker.takeAll(fail.route):
            exchange.carrier.reject(503, "the app can't be started now", max(1, ceil(fail.retry_after)))

    def _rollFailed(self, failed: RollFailed) -> None:
        self._log.warn("{route}: the roll ends: {reason}", route=failed.route, reason=failed.reason)

    # Time

    def _arm(self) -> None:
        due = [at for at in (self._broker.nextDeadline(), self._scaler.nextDeadline()) if at is not None]
        if not due:
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
        The edge leaves: what it spawned ends, other nodes dial elsewhere.
        """
        for instance, supply in list(self._supplies.items()):
            if isinstance(supply, NodeSupply) and not supply.spawned:
                supply.goAway()
            else:
                supply.retire()

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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.responses is not None:
            self.responses.stopAll()


_PERFORM: dict[type, Callable[[Brokerage, Any], None]] = {
    Match: Brokerage._match,
    Expire: Brokerage._expire,
    Spawn: Brokerage._spawn,
    Retire: Brokerage._retire,
    Stop: Brokerage._stop,
    Newest: Brokerage._setNewest,
    Recount: Brokerage._recount,
    Buried: Brokerage._bury,
    Fail: Brokerage._fail,
    RollFailed: Brokerage._rollFailed,
}
