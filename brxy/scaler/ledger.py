"""
The list of all instances, from their order until nothing of them is left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from brxy.errors import NodeRefused
from brxy.scaler.agenda import Agenda
from brxy.scaler.fleet import Fleet
from brxy.scaler.instance import Change, Instance
from brxy.scaler.rules import Rulebook

__all__ = ["Ledger"]


class Ledger:
    """
    The instances of all routes.

    It admits and removes instances and checks their identities; what to do with them is
    decided elsewhere.
    """

    def __init__(
        self,
        book: Rulebook,
        agenda: Agenda[Instance | Fleet],
        new_ticket: Callable[[], str],
        epoch: float,
    ) -> None:
        """
        @param agenda: gets what must be checked later: orders when they must be ready,
            and fleets for L{forget}.
        @param new_ticket: makes a ticket that can't be guessed.
        @param epoch: the time in seconds since 1970 when C{now} was 0.
        """
        self._book = book
        self._agenda = agenda
        self._new_ticket = new_ticket
        self._epoch = epoch
        self._generation = 0
        self._tickets: dict[str, Instance] = {}
        self._nodes: dict[str, Instance] = {}
        self._fleets: dict[str, Fleet] = {}
        self._elsewhere: dict[str, Fleet] = {}

    def total(self) -> int:
        """
        The number of instances, with those that former edges still need.
        """
        if not self._elsewhere:
            return len(self._tickets)
        return len(self._tickets.keys() | self._elsewhere.keys())

    def setElsewhere(self, instances: Mapping[str, Sequence[str | None]]) -> set[str]:
        """
        See L{brxy.scaler.restarts.Elsewhere.set}.

        @return: the routes whose numbers may have changed.
        """
        routes = set()
        for fleet in self._elsewhere.values():
            fleet.elsewhere = {}
            routes.add(fleet.route)
        self._elsewhere = {}
        for ticket, (route, spawn) in instances.items():
            assert route is not None, "an instance without a route"
            fleet = self._elsewhere[ticket] = self.fleetFor(route)
            fleet.elsewhere[ticket] = spawn
            routes.add(route)
        return routes

    def instances(self) -> list[Instance]:
        """
        All instances.
        """
        return list(self._tickets.values())

    def byTicket(self, ticket: str) -> Instance | None:
        """
        The instance with this ticket.
        """
        return self._tickets.get(ticket)

    def routes(self) -> int:
        """
        The number of routes of which something is known.
        """
        return len(self._fleets)

    def rules(self, route: str) -> Sequence[str]:
        """
        The names of the rules that are for a route, first choice first.
        """
        return self._book.namesFor(route)

    def fleet(self, route: str) -> Fleet | None:
        """
        The fleet of a route, if it has or lately had instances.
        """
        return self._fleets.get(route)

    def fleets(self) -> list[Fleet]:
        """
        The fleets of all routes.
        """
        return list(self._fleets.values())

    def fleetFor(self, route: str) -> Fleet:
        """
        The fleet of a route.  Pass it to L{forget} if it stays without instances.
        """
        fleet = self._fleets.get(route)
        if fleet is None:
            fleet = self._fleets[route] = Fleet(route, self._book)
        return fleet

    def rank(self, route: str, rule: str) -> int:
        """
        The rank of a rule on a route; 0 is the first.
        """
        return self.fleetFor(route).rules.index(rule)

    def forget(self, fleet: Fleet, now: float) -> None:
        """
        Remove the fleet of a route without instances, as soon as its breakers have
        nothing to remember.
        """
        if fleet.instances or fleet.elsewhere or self._fleets.get(fleet.route) is not fleet:
            return
        until = max((each.forgetAt() for each in fleet.breakers.values()), default=now)
        if until > now:
            self.lookAt(fleet, until, now)
        else:
            del self._fleets[fleet.route]

    def lookAt(self, fleet: Fleet, when: float, now: float) -> None:
        """
        Have the demand of a route counted at this time, or before.
        """
        if not now < fleet.look_at <= when:
            fleet.look_at = when
            self._agenda.add(when, fleet)

    def order(self, fleet: Fleet, rule: str, start_by: float, now: float) -> Instance:
        """
        Enter an order.
        """
        said = self._book.rules[rule]
        instance = Instance(
            ticket=self._new_ticket(),
            route=fleet.route,
            # One that learns is sure to take one exchange, as every app.
            capacity=1 if said.learns else said.capacity,
            learns=said.learns,
            max_capacity=said.max_capacity,
            generation=self._nextGeneration(now),
            spawn=rule,
            rank=fleet.rules.index(rule),
            watched=True,
            ordered_at=now,
            start_by=start_by,
        )
        fleet.breaker(rule).ordered(instance.ticket)
        self._agenda.add(start_by, instance)
        self._add(instance)
        return instance

    def expect(self, instance: Instance, start_by: float) -> None:
        """
        Enter an instance from before a restart of the edge.
        """
        instance.startBy(start_by)
        self._agenda.add(start_by, instance)
        self._generation = max(self._generation, instance.generation)
        if instance.node_id is not None:
            self._nodes[instance.node_id] = instance
        self._add(instance)

    def admit(
        self, ticket: str, node_id: str, route: str, generation: int | None, now: float
    ) -> Instance:
        """
        Find the instance of a node: that of the order whose ticket it brings, one whose
        node it is already, or a new one that came by itself.

        @raise NodeRefused: the ticket is another node's or another route's.
        """
        known = self._nodes.get(node_id)
        instance = self._tickets.get(ticket) or known
        if instance is None:
            instance = self._adopt(ticket, route, generation, now)
        if instance.route != route:
            raise NodeRefused(f"it is for route {instance.route}, not {route}")
        if instance.node_id not in (None, node_id):
            raise NodeRefused("its ticket belongs to another instance")
        if known is not None and known is not instance:
            raise NodeRefused("its instance id belongs to another ticket")
        instance.identify(node_id)
        self._nodes[node_id] = instance
        return instance

    def remove(self, instance: Instance) -> None:
        """
        Nothing of an instance is left.
        """
        instance.change(Change.BURIED)
        self._fleets[instance.route].remove(instance)
        del self._tickets[instance.ticket]
        if instance.node_id is not None:
            del self._nodes[instance.node_id]

    def _adopt(self, ticket: str, route: str, generation: int | None, now: float) -> Instance:
        instance = Instance(
            ticket=ticket or self._new_ticket(),
            route=route,
            capacity=0,
            generation=self._adoptedGeneration(generation, now),
            ordered_at=now,
        )
        self._add(instance)
        return instance

    def _add(self, instance: Instance) -> None:
        self._tickets[instance.ticket] = instance
        self.fleetFor(instance.route).add(instance)

    def _nextGeneration(self, now: float) -> int:
        self._generation = max(self._generation + 1, self._microseconds(now))
        return self._generation

    def _adoptedGeneration(self, generation: int | None, now: float) -> int:
        # A node's own generation counts, unless it is in the future.
        if generation is None or not 0 < generation <= self._microseconds(now):
            return self._nextGeneration(now)
        self._generation = max(self._generation, generation)
        return generation

    def _microseconds(self, now: float) -> int:
        return int((self._epoch + now) * 1_000_000)
