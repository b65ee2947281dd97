"""
Orders of instances for waiting exchanges, within the limits.
"""

from __future__ import annotations

from collections.abc import Callable

from brxy.scaler.decisions import Decision, Fail, Spawn
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import Capacities
from brxy.scaler.ledger import Ledger
from brxy.scaler.lifecycle import Lifecycle
from brxy.scaler.rules import Rulebook
from brxy.scaler.shortage import Floors, KnownRoutes, RoomMaker, Shortage

__all__ = ["DOUBT", "Orders"]

# Seconds after which an instance that has waiters, and takes up no more exchanges than
# before, counts as full, though it was not found so.  Some servers listen this long before
# their workers accept.
DOUBT = 1.0

# Whether an app that may be busy for a moment still has waiters is seen at this many looks or
# more, with at most this pause between them (seconds).
LOOKS, LOOK = 8, 0.2


class Orders:
    """
    Compares the demand of a route with its supply, and orders what is missing
    within the limits of the rules, the breakers and the global maximum.

    Routes whose demand may have changed are put on a worklist by L{recount}; L{settle}
    works it off at the end of each step of the scaler.
    """

    def __init__(
        self,
        book: Rulebook,
        ledger: Ledger,
        lifecycle: Lifecycle,
        capacities: Capacities,
        known_routes: KnownRoutes,
        waiting: Callable[[str], int],
        floors: Floors,
    ) -> None:
        """
        @param waiting: how many exchanges wait for a route.
        @param floors: the routes that must have some instances without that.
        """
        self._floors = floors
        self._known_routes = known_routes
        self._waiting = waiting
        self._book = book
        self._ledger = ledger
        self._lifecycle = lifecycle
        self._capacities = capacities
        self._shortage = Shortage()
        self._rooms = RoomMaker(ledger, lifecycle, known_routes, floors)
        self._worklist: dict[str, None] = {}

    @property
    def short(self) -> bool:
        """
        Whether any route lacks room for instances.
        """
        return bool(self._shortage)

    def isShort(self, route: str) -> bool:
        """
        Whether this route does.
        """
        return self._shortage.lacks(route)

    def wakes(self, route: str, now: float) -> bool:
        """
        Whether a waiter would have the first instance of this route ordered.
        """
        fleet = self._ledger.fleet(route)
        if fleet is None:
            return bool(self._ledger.rules(route))
        return not fleet.instances and any(
            fleet.breaker(rule).mayOrder(now) != 0 for rule in fleet.rules
        )

    def wokenBy(self, route: str, waker: str) -> None:
        """
        A client waits for a route: if nothing is there yet, it is the one that wakes it.

        @param waker: its address.
        """
        fleet = self._ledger.fleetFor(route)
        if not fleet.instances:
            fleet.waker = waker

    def recount(self, route: str) -> None:
        """
        The demand or the supply of a route may have changed.
        """
        self._worklist[route] = None

    def greeted(
        self, instance: Instance, capacity: int, learns: bool, now: float
    ) -> list[Decision]:
        """
        The node of an instance, or what fronts it, says how many exchanges it takes at once.
        """
        if instance.learn(learns):
            self.recount(instance.route)
        if learns:
            return self.resized(instance, capacity, now)
        if instance.resize(capacity):
            self.recount(instance.route)
        rule = self._book.get(instance.spawn)
        if rule is None or not rule.learns:
            return []
        decisions = self._capacities.fixed(instance)
        if decisions:
            self.recount(instance.route)
        return decisions

    def resized(self, instance: Instance, capacity: int, now: float) -> list[Decision]:
        """
        An instance that learns takes another number of exchanges at once than before.
        """
        if not instance.learns or instance.state is State.GONE or capacity == instance.capacity:
            return []
        self.recount(instance.route)
        return self._capacities.resized(instance, capacity, now)

    def full(self, instance: Instance, refused: bool, now: float) -> list[Decision]:
        """
        An instance did not take up an exchange beyond its capacity.
        """
        if not instance.learns or instance.state is not State.READY:
            return []
        if refused and not self._capacities.refused(instance):
            return []
        self.recount(instance.route)
        until = now + self._capacities.patience(instance)
        if instance.doubted_until is not None:
            until = min(until, instance.doubted_until)
        if until <= now:
            return self._capacities.full(instance, now)
        instance.doubt(until)
        return []

    def settle(self, now: float) -> list[Decision]:
        """
        Compare demand and supply of every route on the worklist; that may add others.
        """
        decisions: list[Decision] = []
        failed: set[str] = set()
        while self._worklist:
            route = next(iter(self._worklist))
            del self._worklist[route]
            # A decision to answer all waiters of a route is not performed yet.
            waiters = 0 if route in failed else self._waiting(route)
            found = self._meet(route, waiters, now)
            failed.update(each.route for each in found if isinstance(each, Fail))
            decisions += found
        return decisions

    def _meet(self, route: str, waiters: int, now: float) -> list[Decision]:
        """
        Order what this number of waiters needs.
        """
        was_short = self._shortage.remove(route)
        fleet = self._ledger.fleetFor(route)
        decisions: list[Decision] = []
        # If no rule has room, as under overload, there is nothing to count.
        may_grow = self._mayGrow(fleet)
        if may_grow or not waiters:
            decisions += self._doubt(fleet, waiters, now)
        if waiters and may_grow:
            offered = sum(self._lifecycle.offers(each, now) for each in fleet.instances.values())
            if waiters > offered:
                decisions += self._order(fleet, waiters - offered, now)
        if floor := self._floors.number(route, now):
            decisions += self._keep(fleet, floor, now)
        elif not self._shortage.lacks(route):
            self._ledger.forget(fleet, now)
        if was_short and not self._shortage.lacks(route):
            # The next route in line may have the room that this one needs no more.
            self.recountShort(1)
        return decisions

    def _keep(self, fleet: Fleet, floor: int, now: float) -> list[Decision]:
        """
        Order what a route lacks of its minimum, as far as there is room.
        """
        decisions: list[Decision] = []
        lacking = floor - self._lifecycle.countAlive(fleet, now)
        for rule in fleet.rules:
            orders = min(self._wanted(fleet, rule, lacking, now), self._room())
            decisions += [self.spawn(fleet, rule, now) for _ in range(orders)]
            lacking -= orders
        # Whatever else becomes of an instance, it is missed soon.
        self._ledger.lookAt(fleet, now + DOUBT, now)
        return decisions

    def maximum(self, route: str) -> int:
        """
        How many instances of a route the rules allow.
        """
        named = [self._book.rules[rule].max_instances for rule in self._ledger.rules(route)]
        return min(self._book.max_total, sum(named))

    def idled(self, instance: Instance) -> None:
        """
        An instance is idle, so nothing waits for its route: the instance may have to
        make room for one of another route.
        """
        self._shortage.remove(instance.route)
        self.recountShort(1)

    def instanceGone(self, instance: Instance) -> None:
        """
        An instance is gone: a route that lacked room may have some.
        """
        self._shortage.instanceGone(instance)
        if instance.answered:
            self._known_routes.served(instance.route)
        for route in self._floors.routes():
            self.recount(route)
        self.recountShort()

    def recountShort(self, number: int | None = None) -> None:
        """
        Recount the first routes that lack room: this many, or as many as there may be room for.
        """
        for route in self._shortage.first(self._room() if number is None else number):
            self.recount(route)

    def spawn(self, fleet: Fleet, rule: str, now: float) -> Spawn:
        """
        Order one instance, without regard to the limits.
        """
        return Spawn(self._ledger.order(fleet, rule, now + self._book.start_timeout, now))

    def mayExceed(self, fleet: Fleet, rule: str) -> bool:
        """
        Whether one more instance exceeds no maximum by more than one.
        """
        return (
            fleet.number(rule) <= self._book.rules[rule].max_instances
            and self._ledger.total() <= self._book.max_total
        )

    def _mayGrow(self, fleet: Fleet) -> bool:
        rules = self._book.rules
        return any(fleet.number(rule) < rules[rule].max_instances for rule in fleet.rules)

    def _room(self) -> int:
        return max(0, self._book.max_total - self._ledger.total())

    def _order(self, fleet: Fleet, missing: int, now: float) -> list[Decision]:
        """
        Order instances: from the first rule that has room and whose breaker allows it,
        and for what is left from the next.

        @param missing: for how many exchanges.
        """
        decisions: list[Decision] = []
        lacking = 0
        for rule in fleet.rules:
            capacity = self._capacities.ofNext(self._book.rules[rule], fleet.route)
            wanted = self._wanted(fleet, rule, -(-missing // capacity), now)
            orders = min(wanted, self._room())
            decisions += [self.spawn(fleet, rule, now) for _ in range(orders)]
            lacking += wanted - orders
            missing -= wanted * capacity
            if missing <= 0:
                break
        if lacking:
            self._shortage.add(fleet.route, lacking, fleet.route in self._known_routes)
            decisions += self._rooms.make(fleet, self._shortage, now)
        elif not decisions and self._isDoomed(fleet, now):
            decisions.append(_failure(fleet, now))
        elif missing > 0:
            self._lookAgain(fleet, now)
        return decisions

    def _wanted(self, fleet: Fleet, rule: str, wanted: int, now: float) -> int:
        """
        How many of these orders one rule would allow without the global maximum.
        """
        wanted = min(wanted, self._book.rules[rule].max_instances - fleet.number(rule))
        allowed = fleet.breaker(rule).mayOrder(now)
        return max(0, wanted if allowed is None else min(wanted, allowed))

    def _doubt(self, fleet: Fleet, waiters: int, now: float) -> list[Decision]:
        """
        Waiters may count on what instances have not shown, but not for long: an app that
        takes more does so within milliseconds.
        """
        growing = []
        offered = 0
        for each in fleet.instances.values():
            if self._capacities.mayGrow(each, now) and self._lifecycle.isAlive(each, now):
                growing.append(each)
                offered += each.capacity - min(each.capacity, each.offer.in_flight)
            else:
                offered += self._lifecycle.offers(each, now)
        decisions: list[Decision] = []
        for each in growing:
            until, patience = each.doubted_until, self._capacities.patience(each)
            if until is None:
                until = now + max(DOUBT, patience)
            each.doubt(until if waiters > offered else None)
            if waiters > offered and now < until:
                # The bursts of one page have moments in between at which nothing waits.
                look = now + min(LOOK, patience / LOOKS) if patience else until
                self._ledger.lookAt(fleet, min(look, until), now)
            elif waiters > offered:
                decisions += self._capacities.stalled(each, now)
        return decisions

    def _isDoomed(self, fleet: Fleet, now: float) -> bool:
        """
        Whether nothing is alive or ordered, and no order is allowed.
        """
        return (
            bool(fleet.rules)
            and all(fleet.breaker(rule).mayOrder(now) == 0 for rule in fleet.rules)
            and not any(self._lifecycle.isAlive(each, now) for each in fleet.instances.values())
        )

    def _lookAgain(self, fleet: Fleet, now: float) -> None:
        """
        Count again when a breaker allows the order that waiters lack.
        """
        pauses = [each.remaining(now) for each in fleet.breakers.values()]
        pause = min(filter(None, pauses), default=0.0)
        if pause:
            self._ledger.lookAt(fleet, now + pause, now)


def _failure(fleet: Fleet, now: float) -> Fail:
    breaker = min(fleet.breakers.values(), key=lambda each: each.remaining(now))
    return Fail(fleet.route, breaker.reason, breaker.remaining(now))
