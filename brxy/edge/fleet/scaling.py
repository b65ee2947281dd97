"""
The instances of an edge: performs what the scaler decides.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, Protocol

from brxy.edge import events as happened
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import Spawning
from brxy.edge.events import Events
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.fleet.learner import Learner
from brxy.edge.fleet.performer import Performer, Waiters, endedEarly
from brxy.edge.fleet.reaches import Reaches
from brxy.edge.fleet.starter import Starter
from brxy.edge.fleet.wakelimits import WakeLimits
from brxy.edge.shortages import Refusing
from brxy.edge.slots.access import Access
from brxy.edge.slots.front import Front, Host
from brxy.edge.slots.reach import Greeted
from brxy.errors import NodeEnded, NodeRefused
from brxy.interfaces import Address, Gone, IInstance, ISpawner
from brxy.reactor.alarm import Alarm
from brxy.scaler.decisions import Decision, Fail
from brxy.scaler.instance import Instance, State
from brxy.scaler.scaler import Scaler
from brxy.scaler.snapshot import ScalerSnapshot
from brxy.transport.connection import Shared
from brxy.values.routename import routeName
from brxy.wire.frames import NOT_TAKEN_UP, VERSION
from brxy.wire.greeting import Hello, Welcome

__all__ = ["Demand", "Scaling"]


class Demand(Waiters, Host, Protocol):
    """
    What brings the exchanges that wait to the instances' slots.

    @ivar supply: provides the instances.
    """

    supply: Any


class Scaling:
    """
    Has instances started and ended, and reports to the scaler what becomes of them.

    @ivar short: a route lacks room for instances; L{idled} is of use only then.
    @ivar starter: starts and ends instances by their spawners.
    @ivar wake_limits: on the routes that clients may have started.
    @ivar reaches: how each instance is reached.
    @ivar leaving: no node is admitted any more.
    @ivar elsewhere: the tickets of those that former edges still need.
    @param edge_id: the name of this edge.
    @param access: which nodes may serve here.
    @param spawnings: by the names of the spawns.
    @param endpoint: where the nodes of a spawner dial in; known when the ports are open.
    @param changed: called when the instances that are alive have changed.
    """

    def __init__(
        self,
        shared: Shared,
        scaler: Scaler,
        demand: Demand,
        *,
        edge_id: str,
        access: Access,
        limits: Limits,
        spawnings: Mapping[str, Spawning],
        endpoint: Callable[[ISpawner], str],
        changed: Callable[[], None],
        events: Events,
    ) -> None:
        self._shared = shared
        self.seconds = shared.reactor.seconds
        self._scaler = scaler
        self._demand = demand
        self._edge_id = edge_id
        self._access = access
        self.wake_limits = WakeLimits(scaler, limits)
        self._events = events
        self._refusing = Refusing(events)
        self._learner = Learner(shared.reactor, events)
        self._changed = changed
        self.reaches = Reaches()
        self._alarm = Alarm(shared.reactor, self._tick)
        self.leaving = self.short = False
        self.elsewhere: Container[str] = ()
        self.starter = Starter(
            shared.reactor,
            spawnings,
            self,
            endpoint=endpoint,
            token=access.tokenFor,
            edge_id=edge_id,
            events=events,
        )
        self._performer = Performer(demand, self.reaches, self.starter, events, changed)
        demand.supply = self

    # Demand

    def needed(self, route: str, waker: str | None) -> Refusal | None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        now = self.seconds()
        first = self._scaler.waiting(route) == 1
        if first and waker is not None:
            refusal = self.wake_limits.refusal(route, waker, now)
            if refusal is not None:
                return refusal
        decisions = self._scaler.demand(route, now, waker)
        # While the breaker is open, no exchange is held for long.
        doomed = any(type(each) is Fail for each in decisions)
        instances = self._scaler.instances(route)
        if first and not doomed and not any(each.state is State.READY for each in instances):
            self._events.emit(happened.Holding(route))
        self.perform(decisions)
        return None

    def waiterLeft(self, route: str) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        # A route without waiters lacks no instances.
        if self.short and not self._scaler.waiting(route):
            self.perform(self._scaler.demand(route, self.seconds()))

    def idled(self, instance: Instance) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self.perform(self._scaler.idled(instance, self.seconds()))

    def answered(self, instance: Instance) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self.perform(self._scaler.answered(instance, self.seconds()))

    def resized(self, instance: Instance, capacity: int) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self.perform(self._scaler.resized(instance, capacity, self.seconds()))

    def full(self, instance: Instance, refused: bool = False) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self.perform(self._scaler.full(instance, refused, self.seconds()))

    # Slots

    def hello(self, slot: Greeted, hello: Hello) -> Welcome:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self._access.check(hello, slot.named())
        if routeName(hello.route) != hello.route:
            raise NodeRefused(f"{hello.route!r} is no route")
        if self.leaving:
            raise NodeRefused("the edge is leaving")
        if hello.ended:
            self.perform(endedEarly(self._scaler, hello, self.seconds()))
            raise NodeEnded(hello.ended)
        instance, decisions = self._scaler.hello(
            hello.ticket,
            hello.instance,
            hello.route,
            hello.capacity,
            hello.generation,
            self.seconds(),
            hello.learns,
        )
        slot.instance, slot.offer = instance, instance.offer
        if self.reaches.isNew(instance):
            self._events.emit(happened.DialledIn(instance.route, instance.ticket, hello.instance))
        reach = self.reaches.node(instance, bool(hello.ticket))
        self._changed()
        self.perform(decisions)
        # From here on, since WELCOME says whether it is the newest.
        reach.slots.add(slot)
        return Welcome(VERSION, self._edge_id, instance.generation, instance.newest)

    def pulls(self, instance: Instance) -> bool:
        """
        See L{brxy.edge.supply.Supply}.
        """
        now = self.seconds()
        first = instance.ready_since is None
        self.perform(self._scaler.ready(instance, now))
        # Performing may have changed it again.
        if (pulls := instance.state == State.READY) and first:
            took = now - instance.ordered_at
            self._events.emit(happened.Ready(instance.route, instance.ticket, took))
        return pulls

    def unready(self, instance: Instance, refusal: str = "") -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        if refusal and refusal != NOT_TAKEN_UP:
            self._refusing.note(instance, refusal, self.seconds())
        reach = self.reaches.get(instance)
        pulls = reach is None or reach.pulling or (refusal == NOT_TAKEN_UP and instance.offer.full)
        if instance.state == State.READY and not pulls:
            if not refusal:
                self._events.emit(happened.Drains(instance.route, instance.ticket))
            self.perform(self._scaler.unready(instance, self.seconds()))

    def closed(self, slot: Greeted) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self.reaches.closed(slot)
        self.perform(self._scaler.slotClosed(slot.instance, self.seconds()))

    def silent(self, instance: Instance) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self._events.emit(happened.Unresponsive(instance.route, instance.ticket))
        self.perform(self._scaler.demand(instance.route, self.seconds()))

    def answers(self, instance: Instance) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self._events.emit(happened.Responsive(instance.route, instance.ticket))

    def roll(self, route: str) -> None:
        """
        See L{brxy.edge.supply.Supply}.
        """
        self._events.emit(happened.RollStarted(route))
        self.perform(self._scaler.roll(route, self.seconds()))

    def rollAll(self) -> None:
        """
        Replace every instance by a newer one.
        """
        for route, found in sorted(self.snapshot().routes.items()):
            if found.instances:
                self.roll(route)

    # Instances, as their spawners see them

    def fronted(
        self, instance: Instance, handle: IInstance, address: Address, spawning: Spawning
    ) -> None:
        """
        See L{brxy.edge.fleet.starter.Owner}.
        """
        if instance.state == State.GONE:
            return
        front = Front(
            self._shared,
            self._demand,
            instance,
            address,
            spawning.idle_timeout,
            spawning.old_idle_timeout,
            lambda: self.starter.stop(instance),
            spawning.send_proxy,
            self._learner.learn(instance, handle, address, spawning),
        )
        self.reaches.front(instance, front)
        front.setElsewhere(instance.ticket in self.elsewhere)
        self._changed()
        self.perform(self._scaler.fronted(instance.ticket, self.seconds()))
        # A decision is made only for a change; a node learns this from WELCOME.
        front.setNewest(instance.newest)
        front.start()

    def gone(self, instance: Instance, gone: Gone) -> None:
        """
        See L{brxy.edge.fleet.starter.Owner}.
        """
        self.perform(
            self._scaler.gone(instance.ticket, gone.reason, gone.detached, self.seconds())
        )
        if instance.state != State.GONE:
            self._events.emit(happened.CommandEnded(instance.route, instance.ticket, gone.reason))

    def withdrawn(self, instance: Instance) -> None:
        """
        See L{brxy.edge.fleet.starter.Owner}.
        """
        self.perform(self._scaler.withdrawn(instance.ticket, self.seconds()))

    def unfound(self, instance: Instance) -> None:
        """
        See L{brxy.edge.fleet.starter.Owner}.
        """
        self.perform(self._scaler.unfound(instance.ticket, self.seconds()))

    def failed(self, instance: Instance, reason: str) -> None:
        """
        See L{brxy.edge.fleet.starter.Owner}.
        """
        self._events.emit(happened.StartFailed(instance.route, instance.ticket, reason))
        self.perform(self._scaler.gone(instance.ticket, reason, False, self.seconds()))

    def perform(self, decisions: Iterable[Decision]) -> None:
        """
        Perform decisions of the scaler.
        """
        self.short = self._scaler.short
        self._performer.perform(decisions)
        self._alarm.set(self._scaler.nextDeadline())

    def _tick(self) -> None:
        self.perform(self._scaler.tick(self.seconds()))

    def snapshot(self) -> ScalerSnapshot:
        """
        The instances, by route.
        """
        return self._scaler.snapshot(self.seconds())

    # The end

    def sayGoodbye(self) -> None:
        """
        The edge is stopping: what was spawned ends, and other nodes dial elsewhere.  No
        node is admitted any more.
        """
        self.leaving = True
        self._scaler.floors.clear()
        self.reaches.sayGoodbye()

    def stop(self) -> None:
        """
        Leave no timer behind.
        """
        self._alarm.stop()
