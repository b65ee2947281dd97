"""
What a scaler knows, as frozen values.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from brxy.scaler.agenda import Agenda
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Instance, State
from brxy.scaler.ledger import Ledger
from brxy.scaler.orders import Orders
from brxy.scaler.rolls import Rolls

__all__ = [
    "InstanceSnapshot",
    "RouteSnapshot",
    "ScalerSnapshot",
    "Snapshots",
    "SpawnSnapshot",
]


@frozen
class InstanceSnapshot:
    """
    One instance.

    @ivar spawn: the name of the spawn that ordered it; L{None} for one that came by
        itself.
    @ivar node_id: the name of its node; L{None} as long as none has dialled in.
    @ivar retired: it has to end.
    @ivar newest: it is the newest of its route.
    @ivar capacity: exchanges it takes at once; if it learns, those that it is sure to take.
    @ivar learns: its capacity is learned.
    @ivar settled: it learns, and has been found full.
    @ivar in_flight: exchanges that it has now.
    @ivar exchanges: those that it was given so far.
    @ivar free: its slots that can take an exchange now.
    @ivar suspended: it did not accept an exchange, and gets no more until it answers.
    @ivar seconds: since it was ordered, or came.
    """

    ticket: str
    spawn: str | None
    node_id: str | None
    generation: int
    state: State
    retired: bool
    newest: bool
    capacity: int
    learns: bool
    settled: bool
    in_flight: int
    exchanges: int
    free: int
    suspended: bool
    seconds: float


@frozen
class SpawnSnapshot:
    """
    One spawn on one route.

    @ivar number: the instances that count towards its maximum.
    @ivar allowed: orders that its breaker allows now; L{None} for any number.
    @ivar retry_after: seconds until the breaker allows one.
    @ivar reason: why the last order failed; C{""} if none has.
    """

    name: str
    number: int
    allowed: int | None
    retry_after: float
    reason: str


@frozen
class RouteSnapshot:
    """
    One route.

    @ivar waiting: exchanges that wait for it.
    @ivar spawns: those that are for it, first choice first.
    @ivar exchanges: those that its instances were given, since something is known of it.
    @ivar short: it lacks room for instances.
    @ivar rolling: its instances are being replaced.
    @ivar waker: the address of the client for which its first instance was ordered.
    """

    waiting: int
    instances: tuple[InstanceSnapshot, ...]
    spawns: tuple[SpawnSnapshot, ...]
    exchanges: int
    short: bool
    rolling: bool
    waker: str


@frozen
class ScalerSnapshot:
    """
    All that a scaler knows.

    @ivar routes: the routes of which something is known.
    @ivar rolling: the routes whose instances are being replaced.
    @ivar total: how many instances there are.
    @ivar due: how many things it will look at later.
    """

    routes: Mapping[str, RouteSnapshot]
    rolling: frozenset[str]
    total: int
    due: int


class Snapshots:
    """
    Reads what a scaler knows, of all routes or of one: with a thousand routes, reading all
    of them at once takes too long for one turn of a reactor.
    """

    def __init__(
        self,
        ledger: Ledger,
        orders: Orders,
        rolls: Rolls,
        agenda: Agenda[Instance | Fleet],
        waiting: Callable[[str], int],
    ) -> None:
        """
        @param waiting: how many exchanges wait for a route now.
        """
        self._ledger = ledger
        self._orders = orders
        self._rolls = rolls
        self._agenda = agenda
        self._waiting = waiting

    def routes(self) -> list[str]:
        """
        The routes of which something is known.
        """
        return [each.route for each in self._ledger.fleets()]

    def route(self, route: str, now: float) -> RouteSnapshot | None:
        """
        All there is of a route; L{None} if nothing is known of it.
        """
        fleet = self._ledger.fleet(route)
        return None if fleet is None else self._route(fleet, now)

    def spawner(self, route: str, ticket: str) -> str | None:
        """
        The name of the spawn that ordered an instance; L{None} if it came by itself.
        """
        fleet = self._ledger.fleet(route)
        instance = None if fleet is None else fleet.instances.get(ticket)
        return None if instance is None else instance.spawn

    def instance(self, ticket: str) -> Instance | None:
        """
        The instance with this ticket, unless it is gone.
        """
        return self._ledger.byTicket(ticket)

    def maximum(self, route: str) -> int:
        """
        How many instances of a route the rules allow.
        """
        return self._orders.maximum(route)

    def all(self, now: float) -> ScalerSnapshot:
        """
        All there is.
        """
        routes = {each.route: self._route(each, now) for each in self._ledger.fleets()}
        return ScalerSnapshot(
            routes, self._rolls.routes(), self._ledger.total(), len(self._agenda)
        )

    def _route(self, fleet: Fleet, now: float) -> RouteSnapshot:
        return RouteSnapshot(
            self._waiting(fleet.route),
            tuple(_instance(each, now) for each in fleet.instances.values()),
            tuple(_spawn(fleet, name, now) for name in fleet.rules),
            fleet.matched + sum(each.offer.matched for each in fleet.instances.values()),
            self._orders.isShort(fleet.route),
            self._rolls.isRolling(fleet.route),
            fleet.waker,
        )


def _instance(instance: Instance, now: float) -> InstanceSnapshot:
    offer = instance.offer
    return InstanceSnapshot(
        instance.ticket,
        instance.spawn,
        instance.node_id,
        instance.generation,
        instance.state,
        instance.retired,
        instance.newest,
        instance.capacity,
        instance.learns,
        instance.full_at is not None,
        offer.in_flight,
        offer.matched,
        len(offer.ready),
        offer.suspended,
        now - instance.ordered_at,
    )


def _spawn(fleet: Fleet, name: str, now: float) -> SpawnSnapshot:
    number, breaker = fleet.number(name), fleet.breakers.get(name)
    if breaker is None:
        return SpawnSnapshot(name, number, None, 0.0, "")
    allowed, pause = breaker.mayOrder(now), breaker.remaining(now)
    return SpawnSnapshot(name, number, allowed, pause, breaker.reason)
