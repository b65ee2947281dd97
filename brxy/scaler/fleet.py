"""
All instances of one route.

Pure: a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attrs import define, field

from brxy.scaler.breaker import Breaker
from brxy.scaler.instance import Instance, State

__all__ = ["Fleet"]


@define(eq=False)
class Fleet:
    """
    All there is of one route.

    @ivar rules: the names of the rules that are for it, first choice first.
    @ivar instances: by ticket.
    @ivar breakers: by the name of the rule.
    @ivar newest: the one instance that has its C{newest} set.
    @ivar look_at: when its demand will be looked at, if that is to come.
    @ivar waker: the address of the client for which its first instance was ordered;
        C{""} if it has none, or the instance came by itself.
    """

    route: str
    rules: Sequence[str]
    instances: dict[str, Instance] = field(factory=dict)
    breakers: dict[str, Breaker] = field(factory=dict)
    newest: Instance | None = None
    look_at: float = 0.0
    waker: str = ""
    _numbers: Counter[str | None] = field(factory=Counter)

    def add(self, instance: Instance) -> None:
        """
        There is one more.
        """
        self.instances[instance.ticket] = instance
        self._numbers[instance.spawn] += 1

    def remove(self, instance: Instance) -> None:
        """
        There is one less.
        """
        del self.instances[instance.ticket]
        self._numbers[instance.spawn] -= 1

    def number(self, rule: str) -> int:
        """
        How many instances count towards the maximum of a rule: its own, and
        those that came by themselves.
        """
        return self._numbers[rule] + self._numbers[None]

    def breaker(self, rule: str) -> Breaker:
        """
        What is known about the orders of a rule.
        """
        return self.breakers.setdefault(rule, Breaker())

    def candidate(self) -> Instance | None:
        """
        The instance that should be the newest: only of the first spawner that
        has any, so that what is there because that had no room leaves before.
        """
        connected = [
            each
            for each in self.instances.values()
            if each.state is State.CONNECTED or each.state is State.READY
        ]
        return max(connected, key=lambda each: (-each.offer.place, each.ticket), default=None)
