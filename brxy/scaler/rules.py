"""
Limits on the number of instances, from the settings.

Pure: values, and what finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from brxy.values.capacity import AUTO
from brxy.values.routepattern import PatternIndex, covers

__all__ = ["Rule", "Rulebook", "byName", "ruleOf"]


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


class Rulebook:
    """
    All that the settings say about the number of instances.  It may be replaced by another
    one while there are instances.

    @ivar rules: by the names of the spawns, first choice first.
    @ivar max_total: how many instances there may be of all routes.
    @ivar start_timeout: how long an order may take until it is ready.
    @ivar named: the routes that the settings name, with a rule or otherwise.
    @ivar edition: another object after each L{adopt}.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        *,
        max_total: int,
        start_timeout: float = 50.0,
        named: Iterable[str] = (),
    ) -> None:
        """
        @param named: routes that the settings name, besides those of the rules.
        @raise ValueError: two rules have the same name.
        """
        self.rules: dict[str, Rule] = {}
        self.max_total = max_total
        self.start_timeout = start_timeout
        self.edition = object()
        self._index: PatternIndex[str] = PatternIndex()
        self.named: set[str] = set(named)
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """
        Add a rule, as the last choice.

        @raise ValueError: another rule has its name.
        """
        if rule.name in self.rules:
            raise ValueError(f"two spawns are named {rule.name!r}")
        self.rules[rule.name] = rule
        self._index.add(rule.pattern, rule.name)
        if rule.pattern is not None and not rule.pattern.startswith("*."):
            self.named.add(rule.pattern)

    def name(self, route: str) -> None:
        """
        The settings name a route.
        """
        self.named.add(route)

    def __contains__(self, route: object) -> bool:
        """
        Whether the settings name a route.
        """
        return route in self.named

    def get(self, name: str | None) -> Rule | None:
        """
        The rule of a spawn; L{None} if there is none any more, or for no spawn.
        """
        return None if name is None else self.rules.get(name)

    def namesFor(self, route: str) -> Sequence[str]:
        """
        The names of the rules that are for a route, first choice first.
        """
        return self._index.find(route)

    def serves(self, route: str) -> bool:
        """
        Whether there is a rule for a route.
        """
        return self._index.covers(route)

    def adopt(self, other: Rulebook) -> Rulebook:
        """
        Replace all that it says by what another one says.

        @return: what it said before.
        """
        before = Rulebook(max_total=0)
        for target, source in ((before, self), (self, other)):
            target.rules, target.max_total = source.rules, source.max_total
            target.start_timeout, target.edition = source.start_timeout, source.edition
            target._index, target.named = source._index, source.named
        return before


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
