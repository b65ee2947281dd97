"""
What is remembered of instances over a restart of the edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from brxy.broker.offer import UNLIMITED
from brxy.scaler.decisions import Decision
from brxy.scaler.instance import Instance, State
from brxy.scaler.learned import Capacities
from brxy.scaler.ledger import Ledger
from brxy.scaler.orders import Orders
from brxy.scaler.rules import Rule, Rulebook, ruleOf
from brxy.values.capacity import AUTO

__all__ = ["Elsewhere", "Restarts"]


class Restarts:
    """
    Writes the instances of a ledger down as plain values, and reads them back.

    @ivar capacities: what instances that learn have shown, to be remembered as well.
    """

    def __init__(
        self,
        book: Rulebook,
        ledger: Ledger,
        capacities: Capacities,
        grace: float,
    ) -> None:
        self._book = book
        self._ledger = ledger
        self.capacities = capacities
        self._grace = grace

    def instances(self) -> list[Instance]:
        """
        Every instance that is not gone.
        """
        return self._ledger.instances()

    def records(self) -> list[dict[str, Any]]:
        """
        What L{restore} needs after a restart, as plain values for JSON.
        """
        return [
            {
                "ticket": each.ticket,
                "node_id": each.node_id,
                "route": each.route,
                "capacity": AUTO if each.learns else each.capacity,
                "generation": each.generation,
                "adopted": each.adopted or each.spawn is not None,
                "spawner": each.spawn,
            }
            for each in self._ledger.instances()
            if self._isWorthKeeping(each)
        ]

    def _isWorthKeeping(self, instance: Instance) -> bool:
        rule = self._book.get(instance.spawn)
        if rule is not None and rule.recovers:
            return instance.state <= State.READY
        return instance.node_id is not None and State.CONNECTED <= instance.state <= State.READY

    def restore(self, records: Iterable[Mapping[str, Any]], now: float) -> list[Instance]:
        """
        Expect the instances of L{records} back until the grace is over, and those that a
        spawner can find until it has looked for them.

        @return: the latter.  Call L{brxy.scaler.scaler.Scaler.gone} or
            L{brxy.scaler.scaler.Scaler.unfound} for each that is not found.
        """
        sought = []
        for record in records:
            spawn = ruleOf(record, self._book.rules)
            rule = self._book.get(spawn)
            capacity, learns = _capacityOf(record["capacity"], rule)
            instance = Instance(
                ticket=record["ticket"],
                route=record["route"],
                capacity=capacity,
                generation=record["generation"],
                spawn=spawn,
                rank=0 if spawn is None else self._ledger.rank(record["route"], spawn),
                node_id=record["node_id"],
                adopted=record["adopted"],
                ordered_at=now,
                # Whatever becomes of it, it says nothing about new orders.
                judged=spawn is not None,
                learns=learns,
                max_capacity=UNLIMITED if rule is None else rule.max_capacity,
            )
            if rule is not None and rule.recovers:
                instance.watch(True)
                self._ledger.expect(instance, now + self._book.start_timeout)
                sought.append(instance)
            elif instance.node_id is not None:
                self._ledger.expect(instance, now + self._grace)
        return sought


class Elsewhere:
    """
    The instances that former edges still need, while this one has taken their place: they count
    towards the maxima.
    """

    def __init__(self, ledger: Ledger, orders: Orders) -> None:
        self._ledger = ledger
        self._orders = orders

    def set(self, instances: Mapping[str, Sequence[str | None]], now: float) -> list[Decision]:
        """
        These are all now.

        @param instances: by ticket, the route and the spawn of each.
        """
        for route in self._ledger.setElsewhere(instances):
            self._orders.recount(route)
        self._orders.recountShort()
        return self._orders.settle(now)


def _capacityOf(recorded: int, rule: Rule | None) -> tuple[int, bool]:
    """
    @return: the capacity that an instance has after a restart, and whether it learns.
    """
    if recorded != AUTO:
        return recorded, False
    # What it had learned has to be shown again; its node says what it is.
    return (1, True) if rule is None or rule.learns else (rule.capacity, False)
