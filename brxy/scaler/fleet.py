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
from brxy.scaler.rules import Rulebook

__all__ = ["Fleet"]


@define(eq=False)
class Fleet:
    """
    The instances of one route, and what is known about its orders.

    @ivar instances: by ticket.
    @ivar breakers: by the name of the rule.
    @ivar newest: the one instance that has its C{newest} set.
    @ivar matched: exchanges that instances were given which are gone.
    @ivar look_at: when its demand is counted again; of no meaning once that is past.
    @ivar waker: the address of the client for which its first instance was ordered;
        C{""} if the client has none, or the instance came by itself.
    @ivar elsewhere: the instances that former edges still need, and their rules, by ticket.
        Some may be known here as well.
    """

    route: str
    _book: Rulebook
    instances: dict[str, Instance] = field(factory=dict)
    breakers: dict[str, Breaker] = field(factory=dict)
    newest: Instance | None = None
    matched: int = 0
    look_at: float = 0.0
    waker: str = ""
    elsewhere: dict[str, str | None] = field(factory=dict)
    _numbers: Counter[str | None] = field(factory=Counter)
    _rules: Sequence[str] = ()
    _edition: object = None

    @property
    def rules(self) -> Sequence[str]:
        """
        The names of the rules that are for it, first choice first.
        """
        if self._edition is not self._book.edition:
            self._edition = self._book.edition
            self._rules = self._book.namesFor(self.route)
        return self._rules

    def add(self, instance: Instance) -> None:
        """
        An instance is new.
        """
        self.instances[instance.ticket] = instance
        self._numbers[instance.spawn] += 1

    def remove(self, instance: Instance) -> None:
        """
        An instance is gone.
        """
        del self.instances[instance.ticket]
        self.matched += instance.offer.matched
        self._numbers[instance.spawn] -= 1

    def number(self, rule: str) -> int:
        """
        The number of instances that count towards the maximum of a rule: its own, and
        those that came by themselves.
        """
        number = self._numbers[rule] + self._numbers[None]
        if self.elsewhere:
            number += sum(
                spawn in (rule, None) and ticket not in self.instances
                for ticket, spawn in self.elsewhere.items()
            )
        return number

    def breaker(self, rule: str) -> Breaker:
        """
        The breaker of a rule.
        """
        return self.breakers.setdefault(rule, Breaker())

    def candidate(self) -> Instance | None:
        """
        The instance that should be the newest: of the first spawn that has any, so that
        instances leave first that exist because an earlier spawn had no room.
        """
        connected = [
            each
            for each in self.instances.values()
            if each.state is State.CONNECTED or each.state is State.READY
        ]
        return max(connected, key=lambda each: (-each.offer.place, each.ticket), default=None)
