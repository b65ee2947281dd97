"""
How many instances there should be: what to order, to retire, and to give up.

Pure: decisions are returned, in the order in which they are to be performed; times are
seconds of any clock that only goes forward.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

from brxy.scaler.agenda import Agenda
from brxy.scaler.decisions import Decision, Retire
from brxy.scaler.endings import Endings, isSettled
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Change, Instance, State
from brxy.scaler.learned import Capacities
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import PROVEN, Lifecycle
from brxy.scaler.orders import Orders
from brxy.scaler.restarts import Elsewhere, Restarts
from brxy.scaler.rolls import Reviews, Rolls
from brxy.scaler.rules import Rulebook
from brxy.scaler.shortage import Floors, KnownRoutes
from brxy.scaler.snapshot import ScalerSnapshot, Snapshots

__all__ = ["Scaler"]


class Scaler:
    """
    Keeps the ledger of instances, and decides what to order and to retire.

    Its owner reports what the methods below are named after, and performs the decisions
    that they return, in order.

    @ivar waiting: how many exchanges wait for a route now.
    @ivar floors: the routes that have a minimum of instances for a time.
    @ivar elsewhere: the instances of former edges.
    @ivar restarts: what there is to remember over a restart of the edge.
    @ivar snapshots: reads what it knows, also of one route.
    @ivar book: the limits.  When it has adopted others, C{reviews} has to look at every route.
    @ivar reviews: what becomes of the instances then.
    @param epoch: the time in seconds since 1970 when C{now} was 0.
    @param grace: how long an instance without slots still counts.
    @param new_ticket: makes a ticket that can't be guessed.
    """

    def __init__(
        self,
        book: Rulebook,
        *,
        epoch: float,
        grace: float = 5.0,
        new_ticket: Callable[[], str] = lambda: token_hex(16),
        waiting: Callable[[str], int],
    ) -> None:
        self.waiting = waiting
        self.floors = Floors()
        self.book = book
        self._grace = grace
        self._agenda: Agenda[Instance | Fleet] = Agenda()
        self._ledger = Ledger(book, self._agenda, new_ticket, epoch)
        self._capacities = Capacities()
        self._lifecycle = Lifecycle(self._ledger, self._capacities, grace)
        self._known_routes = KnownRoutes(book)
        self._orders = Orders(
            book,
            self._ledger,
            self._lifecycle,
            self._capacities,
            self._known_routes,
            waiting,
            self.floors,
        )
        parts = (self._ledger, self._lifecycle, self._orders)
        self._rolls = Rolls(*parts)
        self._endings = Endings(*parts, self._rolls, book)
        self.reviews = Reviews(*parts, self._rolls, self._capacities, book)
        self.elsewhere = Elsewhere(self._ledger, self._orders)
        self.restarts = Restarts(book, self._ledger, self._capacities, grace)
        self.snapshots = Snapshots(self._ledger, self._orders, self._rolls, self._agenda, waiting)

    # What there is

    def instances(self, route: str) -> list[Instance]:
        """
        Every instance of a route that is not gone.
        """
        fleet = self._ledger.fleet(route)
        return [] if fleet is None else list(fleet.instances.values())

    def total(self) -> int:
        """
        The number of instances of all routes.
        """
        return self._ledger.total()

    @property
    def short(self) -> bool:
        """
        Whether any route lacks room for instances; then L{idled} is of use.
        """
        return self._orders.short

    def present(self, route: str) -> bool:
        """
        Whether a route has an instance that may serve, now or later.
        """
        fleet = self._ledger.fleet(route)
        return fleet is not None and not all(each.retired for each in fleet.instances.values())

    def knows(self, route: str) -> bool:
        """
        Whether something is known of a route.
        """
        return self._ledger.fleet(route) is not None

    def knownRoutes(self) -> int:
        """
        The number of routes of which something is known.
        """
        return self._ledger.routes()

    # Demand

    def wakesUnnamed(self, route: str, now: float) -> bool:
        """
        Whether a waiter would have the first instance of this route ordered, and the
        settings do not name the route.
        """
        return not self._known_routes.isNamed(route) and self._orders.wakes(route, now)

    def demand(self, route: str, now: float, waker: str | None = None) -> list[Decision]:
        """
        An exchange has come to wait for a route, or the last one has left, or the
        route's supply has fallen.

        @param waker: the address of a client that has just come to wait; C{""} for a
            client without an address.
        """
        if waker is not None:
            self._orders.wokenBy(route, waker)
        self._orders.recount(route)
        return self._orders.settle(now)

    def idled(self, instance: Instance, now: float) -> list[Decision]:
        """
        A slot of an instance is ready, and no exchange takes it: if all its slots are,
        the instance may have to make room for one of another route.
        """
        if not self._lifecycle.isIdle(instance):
            return []
        self._orders.idled(instance)
        return self._orders.settle(now)

    # What happens to an instance

    def hello(
        self,
        ticket: str,
        node_id: str,
        route: str,
        capacity: int,
        generation: int | None,
        now: float,
        learns: bool = False,
    ) -> tuple[Instance, list[Decision]]:
        """
        A node opens a slot.

        @param ticket: of its order; without a known one it came by itself.
        @param generation: its own, if it has one.
        @param learns: its capacity is learned, and this is what it is now.
        @return: its instance, and what to do.
        @raise brxy.errors.NodeRefused: the ticket is another node's or another
            route's.
        """
        instance = self._ledger.admit(ticket, node_id, route, generation, now)
        decisions = self._orders.greeted(instance, capacity, learns, now)
        decisions += self._lifecycle.connect(instance)
        instance.openSlot()
        return instance, decisions + self._orders.settle(now)

    def resized(self, instance: Instance, capacity: int, now: float) -> list[Decision]:
        """
        An instance that learns is sure to take another number of exchanges at once.
        """
        return [*self._orders.resized(instance, capacity, now), *self._orders.settle(now)]

    def full(self, instance: Instance, refused: bool, now: float) -> list[Decision]:
        """
        An instance that learns has refused an exchange beyond its capacity, or lets it wait.
        """
        return [*self._orders.full(instance, refused, now), *self._orders.settle(now)]

    def fronted(self, ticket: str, now: float) -> list[Decision]:
        """
        The address of an instance is known, and the edge fronts it itself.
        """
        instance = self._ledger.byTicket(ticket)
        if instance is None:
            return []
        decisions = self._orders.greeted(instance, instance.capacity, instance.learns, now)
        return [*decisions, *self._lifecycle.connect(instance), *self._orders.settle(now)]

    def slotClosed(self, instance: Instance, now: float) -> list[Decision]:
        """
        A slot of an instance is closed.  After the last one the instance still counts
        for the grace, unless it drained before, since that is how a node leaves.
        """
        if not instance.closeSlot(now):
            return []
        if self._endings.hasLeft(instance):
            return [*self._endings.leave(instance, "drained", now), *self._orders.settle(now)]
        instance.change(Change.DISCONNECTED)
        self._agenda.add(now + self._grace, instance)
        return []

    def ready(self, instance: Instance, now: float) -> list[Decision]:
        """
        A slot of an instance is ready, for the first time or again.
        """
        if instance.state is State.GONE:
            return []
        if instance.retired:
            # It may not know that it has to end.
            knows = instance.retire_sent
            instance.change(Change.READY)
            return [] if knows else [Retire(instance)]
        if instance.ready_since is None:
            self._agenda.add(now + PROVEN, instance)
        self._endings.prove(instance, now)
        decisions: list[Decision] = []
        if instance.state is not State.READY:
            decisions += self._lifecycle.ready(instance, now)
            decisions += self._rolls.ready(instance, now)
        return decisions + self._orders.settle(now)

    def unready(self, instance: Instance, now: float) -> list[Decision]:
        """
        No slot of an instance is ready any more, though some are open.
        """
        if instance.state is not State.READY:
            return []
        self._orders.recount(instance.route)
        drains = self._lifecycle.drain(instance, Change.UNREADY)
        return [*drains, *self._orders.settle(now)]

    def answered(self, instance: Instance, now: float) -> list[Decision]:
        """
        An instance has served an exchange; the first one says that it works.
        """
        instance.answer()
        if self._lifecycle.succeed(instance, now):
            self._orders.recount(instance.route)
        return self._orders.settle(now)

    def gone(self, ticket: str, reason: str, detached: bool, now: float) -> list[Decision]:
        """
        A spawner has reported the end of an instance.

        @param detached: the instance may still run without its spawner.
        """
        instance = self._ledger.byTicket(ticket)
        if instance is None:
            return []
        instance.watch(False)
        if detached and self._endings.hasLeft(instance):
            return [*self._endings.leave(instance, reason, now), *self._orders.settle(now)]
        missed = instance.lost_at is not None and not self._lifecycle.isCutOff(instance, now)
        if detached and (instance.state is State.ORDERED or instance.slots or missed):
            return []
        return [*self._endings.bury(instance, reason, now), *self._orders.settle(now)]

    def withdrawn(self, ticket: str, now: float) -> list[Decision]:
        """
        Something other than this edge is ending an instance.
        """
        instance = self._ledger.byTicket(ticket)
        if instance is None or instance.retired:
            return []
        self._orders.recount(instance.route)
        return [*self._lifecycle.retire(instance), *self._orders.settle(now)]

    # Rolls

    def roll(self, route: str, now: float) -> list[Decision]:
        """
        Replace all instances of a route by newer ones: one more is ordered at a time,
        even above the maximum, and for each that is ready the oldest is retired.
        """
        return self._rolls.start(route, now)

    # Time

    def tick(self, now: float) -> list[Decision]:
        """
        Check what is due by now.
        """
        decisions: list[Decision] = []
        for due in self._agenda.due(now):
            if isinstance(due, Fleet):
                self._orders.recount(due.route)
            elif due.state is not State.GONE:
                decisions += self._endings.check(due, now)
        return decisions + self._orders.settle(now)

    def nextDeadline(self) -> float | None:
        """
        When to call L{tick} next.
        """
        return self._agenda.nextDeadline(isSettled)

    # All of it

    def snapshot(self, now: float) -> ScalerSnapshot:
        """
        What it knows.
        """
        return self.snapshots.all(now)

    # Restarts of the edge

    def unfound(self, ticket: str, now: float) -> list[Decision]:
        """
        It can't be found out what became of an instance of the last run.  If it has a
        node, that may dial in until the grace is over; else it is gone.
        """
        instance = self._ledger.byTicket(ticket)
        if instance is None:
            return []
        has_node = instance.node_id is not None
        if has_node and instance.state is State.ORDERED:
            instance.startBy(now + self._grace)
            self._agenda.add(now + self._grace, instance)
        return self.gone(ticket, "can't be found again", has_node, now)
