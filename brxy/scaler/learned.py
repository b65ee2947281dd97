"""
How many exchanges instances take at once, where that is learned and not set.

An instance that learns grows for as long as its app takes up more than it has taken up
before.  At some point it is found full; from then on the ledger counts it like one whose
capacity is set.  What is found is remembered for the spawn and the route, so that the next
instances are ordered in the right number at once.

Pure: a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from brxy.broker.offer import UNLIMITED
from brxy.scaler.decisions import Decision, Learned, Settled
from brxy.scaler.instance import Instance, State
from brxy.scaler.rules import Rule

__all__ = ["BELIEVED", "MISSES", "PATIENCE", "PATIENCE_MOST", "STEADY", "Capacities"]

# An instance that refuses this many probes in a row is full.  Fewer may have come to the busy
# workers of a server that has others.
MISSES = 8

# An instance that was found full counts as full for this long (seconds), though it may be
# about to take up one more.  Later, the ledger first waits whether it does: that takes much
# less time than a start.  An instance that has waiters is found full more often than that.
BELIEVED = 3.0

# An instance that lets an exchange wait may be busy for a moment only, as apps are with their
# first requests.  While it is not known what it takes, it counts as full after this part of
# the time that it took to start, since that is what another instance costs, and after at most
# this long (seconds).
PATIENCE = 0.25
PATIENCE_MOST = 5.0


# An instance that is full at one capacity for this long (seconds) is reported.
STEADY = 1.0


class Capacities:
    """
    The capacities at which instances were last found full, by spawn and route.

    An entry goes when an instance takes more than it says: how much the others take is
    unknown then, until one is found full again.
    """

    #: The maximum of entries.  Beyond it, the one goes that was confirmed longest ago.
    MOST = 1000

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], int] = {}
        self._steady: WeakKeyDictionary[Instance, tuple[int, float]] = WeakKeyDictionary()
        self._settled: WeakSet[Instance] = WeakSet()
        self._misses: WeakKeyDictionary[Instance, int] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._found)

    # What an instance takes

    def expected(self, spawn: str | None, route: str) -> int | None:
        """
        How many exchanges an instance is expected to take at once; L{None}: that is
        unknown.
        """
        return self._found.get((spawn or "", route))

    def ofNext(self, rule: Rule, route: str) -> int:
        """
        How many exchanges one more instance is expected to take at once.  While that is
        unknown it may be any number, so that no second one is ordered.
        """
        expected = self.expected(rule.name, route) if rule.learns else rule.capacity
        return UNLIMITED if expected is None else expected

    def offers(self, instance: Instance, now: float) -> int:
        """
        How many more exchanges an instance can take, now or once it is ready.  One of which
        it is unknown how many it takes can take all there are.
        """
        busy = instance.offer.in_flight
        if not instance.learns:
            return max(0, instance.capacity - busy)
        expected = instance.expected
        if expected is None and instance.state < State.READY:
            expected = self.expected(instance.spawn, instance.route)
        if expected is None or _probed(instance, now):
            return UNLIMITED
        # Those beyond its capacity are not taken up yet, and still count as waiters.
        return max(0, expected - min(busy, instance.capacity))

    def mayGrow(self, instance: Instance, now: float) -> bool:
        """
        Whether an instance is counted on for more than it has shown lately.
        """
        return (
            instance.learns
            and instance.state is State.READY
            and not instance.offer.suspended
            and (
                instance.expected is None
                or instance.expected > instance.capacity
                or _probed(instance, now)
            )
        )

    def patience(self, instance: Instance) -> float:
        """
        How long an instance may let exchanges wait before it counts as full.
        """
        expected, since = instance.expected, instance.ready_since
        if since is None or (expected is not None and expected <= instance.capacity):
            return 0.0
        return min(PATIENCE_MOST, PATIENCE * (since - instance.ordered_at))

    # What happens to an instance

    def ready(self, instance: Instance) -> None:
        """
        An instance is ready: from now on it counts by what it shows itself.
        """
        if instance.learns and instance.ready_since is None and instance.expected is None:
            instance.expect(self.expected(instance.spawn, instance.route))

    def resized(self, instance: Instance, capacity: int, now: float) -> list[Decision]:
        """
        An instance that learns has another capacity now.
        """
        instance.resize(capacity)
        self._misses.pop(instance, None)
        decisions: list[Decision] = []
        if instance.expected is not None and capacity > instance.expected:
            instance.expect(None)
        key = instance.spawn or "", instance.route
        if capacity > self._found.get(key, UNLIMITED):
            del self._found[key]
            decisions.append(Learned())
        if capacity >= instance.max_capacity:
            decisions += self.full(instance, now)
        return decisions

    def refused(self, instance: Instance) -> bool:
        """
        An instance has refused an exchange beyond its capacity.

        @return: whether it is full.  One refusal may come from one busy worker of several.
        """
        misses = self._misses[instance] = self._misses.get(instance, 0) + 1
        return misses >= MISSES

    def full(self, instance: Instance, now: float) -> list[Decision]:
        """
        An instance that learns was found full: it takes no more than its capacity now.
        """
        known = (instance.spawn or "", instance.route) in self._found
        changed = instance.full_at is None or instance.expected != instance.capacity
        instance.fill(now)
        decisions: list[Decision] = []
        if self._settles(instance, now):
            decisions.append(Settled(instance, instance.capacity))
        return decisions if known and not changed else decisions + self._note(instance)

    def _settles(self, instance: Instance, now: float) -> bool:
        """
        Whether an instance has for the first time been full at one capacity for a while: one
        whose app is still starting up takes more in a moment.
        """
        if instance in self._settled:
            return False
        capacity, since = self._steady.get(instance, (0, now))
        if capacity != instance.capacity:
            since = now
            self._steady[instance] = (instance.capacity, now)
        if now < since + STEADY and instance.capacity < instance.max_capacity:
            return False
        self._settled.add(instance)
        return True

    def stalled(self, instance: Instance, now: float) -> list[Decision]:
        """
        An instance was counted on, and has taken up no more for a while.
        """
        instance.doubt(None)
        if instance.offer.in_flight >= instance.capacity:
            self._steady[instance] = (instance.capacity, now - STEADY)
            return self.full(instance, now)
        # It takes not even what it is sure to take, which says nothing of others.
        instance.expect(instance.capacity)
        return []

    def fixed(self, instance: Instance) -> list[Decision]:
        """
        The capacity of an instance was to be learned, and its node knows it, or can't learn
        it: so it will be with the next ones.
        """
        key = instance.spawn or "", instance.route
        if self._found.get(key) == instance.capacity:
            return []
        self._found.pop(key, None)
        return self._note(instance)

    def forget(self, spawn: str, route: str) -> list[Decision]:
        """
        The next instances of a spawn are others than those before.
        """
        return [] if self._found.pop((spawn, route), None) is None else [Learned()]

    def _note(self, instance: Instance) -> list[Decision]:
        """
        Remember at what capacity an instance was found full.
        """
        key = instance.spawn or "", instance.route
        before = self._found.pop(key, None)
        after = instance.capacity
        if before is not None and before > after < instance.max_capacity:
            # Once may be by chance: a worker that was busy, or a pause of the app.
            after = (before + after) // 2
        self._found[key] = after
        if len(self._found) > self.MOST:
            del self._found[next(iter(self._found))]
        return [Learned()] if after != before else []

    # Restarts of the edge

    def records(self) -> list[list[Any]]:
        """
        What L{restore} needs after a restart, as plain values for JSON.
        """
        return [[spawn, route, capacity] for (spawn, route), capacity in self._found.items()]

    def restore(self, records: Iterable[Sequence[Any]]) -> None:
        """
        Remember what an earlier run of the edge has found.
        """
        for spawn, route, capacity in records:
            self._found[spawn, route] = capacity
        for key in list(self._found)[: -self.MOST]:
            del self._found[key]


def _probed(instance: Instance, now: float) -> bool:
    """
    Whether an instance has an exchange that it may be about to take up, beyond what it is
    sure to take.
    """
    if instance.offer.in_flight <= instance.capacity:
        return False
    return instance.full_at is None or now >= instance.full_at + BELIEVED
