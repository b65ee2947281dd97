"""
The choice of a host for each instance.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["Hosts"]

# Seconds for which a host that could not be reached comes last.
_SHUNNED = 60.0


class Hosts:
    """
    The hosts of one C{--spawn}, and the number of instances on each.

    With a limit, hosts are filled in their order; without one, an instance goes to the
    host with the fewest.

    @param names: the hosts in the order of preference.
    @param per_host: the highest number of instances on one host; L{None}: no limit.
    """

    def __init__(self, names: Sequence[str], per_host: int | None) -> None:
        self._per_host = per_host
        self._instances = dict.fromkeys(names, 0)
        self._shunned: dict[str, float] = {}

    def take(self, now: float, tried: Collection[str]) -> str | None:
        """
        Choose a host, and count an instance there.  A host that could not be reached
        lately is only chosen when there is no other.

        @param now: the time in seconds.
        @param tried: the hosts that don't come into question.
        @return: the host; L{None}: there is none.
        """
        choice = [name for name in self._instances if name not in tried and not self._full(name)]
        if not choice:
            return None
        reachable = [name for name in choice if self._shunned.get(name, now) <= now]
        choice = reachable or sorted(choice, key=self._shunned.__getitem__)
        if self._per_host is None and reachable:
            choice.sort(key=self._instances.__getitem__)
        self._instances[choice[0]] += 1
        return choice[0]

    def release(self, name: str) -> None:
        """
        An instance that was counted is gone.
        """
        self._instances[name] -= 1

    def failed(self, name: str, now: float) -> None:
        """
        A host could not be reached.
        """
        self._shunned[name] = now + _SHUNNED

    def reached(self, name: str) -> None:
        """
        A host could be reached.
        """
        self._shunned.pop(name, None)

    def full(self, tried: Collection[str]) -> list[str]:
        """
        @return: the hosts that have reached their limit.
        """
        return [name for name in self._instances if name not in tried and self._full(name)]

    def _full(self, name: str) -> bool:
        return self._per_host is not None and self._instances[name] >= self._per_host
