"""
Limits on the number of instances, from the settings.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from brxy.values.capacity import AUTO
from brxy.values.routepattern import covers

__all__ = ["Rule", "byName", "ruleOf"]


@frozen
class Rule:
    """
    The limits of one C{--spawn}.

    @ivar pattern: the routes that it serves, see L{brxy.values.routepattern.covers}.
    @ivar max_instances: how many instances of it a route may have.
    @ivar capacity: how many exchanges each instance is expected to take at once, or
        L{brxy.values.capacity.AUTO}.
    @ivar max_capacity: the highest capacity that is learned.
    @ivar name: of the spawn, by which its instances are known, also over a restart of
        the edge; no other spawn has it.
    @ivar recovers: its spawner finds them again then.
    """

    pattern: str | None
    max_instances: int
    capacity: int
    name: str = ""
    recovers: bool = False
    max_capacity: int = 100

    @property
    def learns(self) -> bool:
        """
        Whether the capacity of its instances is learned.
        """
        return self.capacity == AUTO


def byName(rules: Iterable[Rule]) -> dict[str, Rule]:
    """
    @return: the rules by their names, in the same order.
    @raise ValueError: two have the same name.
    """
    found: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in found:
            raise ValueError(f"two spawns are named {rule.name!r}")
        found[rule.name] = rule
    return found


def ruleOf(record: Mapping[str, Any], rules: Mapping[str, Rule]) -> str | None:
    """
    @param record: an instance of an earlier run, as the state file has it.
    @return: the name of the rule whose instance it is; L{None} if there is none any
        more, or it came by itself.
    """
    name = record.get("spawner")
    rule = rules.get(name) if isinstance(name, str) else None
    return rule.name if rule is not None and covers(rule.pattern, record["route"]) else None
