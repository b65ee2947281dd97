"""
What is remembered of instances over a restart of the edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brxy.scaler.instance import Instance, State
from brxy.scaler.ledger import Ledger
from brxy.scaler.rules import Rule, ruleOf

__all__ = ["Restarts"]


class Restarts:
    """
    Writes the instances of a ledger down as plain values, and reads them back.
    """

    def __init__(
        self, rules: Mapping[str, Rule], ledger: Ledger, start_timeout: float, grace: float
    ) -> None:
        self._rules = rules
        self._ledger = ledger
        self._start_timeout = start_timeout
        self._grace = grace

    def records(self) -> list[dict[str, Any]]:
        """
        What L{restore} needs after a restart, as plain values for JSON.
        """
        return [
            {
                "ticket": each.ticket,
                "node_id": each.node_id,
                "route": each.route,
                "capacity": each.capacity,
                "generation": each.generation,
                "adopted": each.adopted or each.spawn is not None,
                "spawner": each.spawn,
            }
            for each in self._ledger.instances()
            if self._isWorthKeeping(each)
        ]

    def _isWorthKeeping(self, instance: Instance) -> bool:
        if instance.spawn is not None and self._rules[instance.spawn].recovers:
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
            spawn = ruleOf(record, self._rules)
            instance = Instance(
                **{key: value for key, value in record.items() if key != "spawner"},
                spawn=spawn,
                rank=0 if spawn is None else self._ledger.rank(record["route"], spawn),
                ordered_at=now,
                # Whatever becomes of it, it says nothing about new orders.
                judged=spawn is not None,
            )
            if spawn is not None and self._rules[spawn].recovers:
                instance.watch(True)
                self._ledger.expect(instance, now + self._start_timeout)
                sought.append(instance)
            elif instance.node_id is not None:
                self._ledger.expect(instance, now + self._grace)
        return sought
