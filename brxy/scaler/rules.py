"""
What the configuration says about the number of instances.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from brxy.values.routepattern import covers

__all__ = ["Rule", "ruleOf"]


@frozen
class Rule:
    """
    What one C{--spawn} says about numbers.

    @ivar pattern: the routes it is for, as L{brxy.values.routepattern.covers} reads it.
    @ivar max_instances: how many instances a route may have by it.
    @ivar capacity: how many exchanges at once each of them is counted on for.
    @ivar name: by which its instances are remembered as its own over a restart of
        the edge.
    @ivar recovers: its spawner finds them again then.
    """

    pattern: str | None
    max_instances: int
    capacity: int
    name: str = ""
    recovers: bool = False


def ruleOf(record: Mapping[str, Any], rules: Sequence[Rule]) -> int | None:
    """
    @param record: an instance of an earlier run, as the state file has it.
    @return: the position of the rule whose instance it is; L{None} if there is
        none any more, or it came by itself.
    """
    for position, rule in enumerate(rules):
        named = rule.name and rule.name == record.get("spawner")
        if named and covers(rule.pattern, record["route"]):
            return position
    return None
