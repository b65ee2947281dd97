"""
Who wants more instances than the global maximum leaves room for.
"""

from __future__ import annotations

from itertools import islice

from brxy.edge.instance import Instance

__all__ = ["Shortage"]


class Shortage:
    """
    The routes that lack room, first come first, and the idle instances that
    are leaving to make it.

    @ivar lacking: the routes, and for how many instances each; to be looked at.
    """

    def __init__(self) -> None:
        self.lacking: dict[str, int] = {}
        self._total = 0
        self._leaving: set[Instance] = set()

    def add(self, route: str, instances: int) -> None:
        """
        A route lacks room for so many instances; it stands last in line.
        """
        self.remove(route)
        self.lacking[route] = instances
        self._total += instances

    def remove(self, route: str) -> bool:
        """
        A route lacks nothing, as far as is known.

        @return: whether it did.
        """
        lacked = self.lacking.pop(route, 0)
        self._total -= lacked
        return lacked > 0

    def first(self, number: int) -> list[str]:
        """
        The routes that are to be looked at when there is room for so many
        instances.
        """
        return list(islice(self.lacking, number))

    def lacks(self, route: str) -> bool:
        """
        Whether this route lacks room.
        """
        return route in self.lacking

    def leaving(self, instance: Instance) -> None:
        """
        An instance was retired to make room.
        """
        self._leaving.add(instance)

    def left(self, instance: Instance) -> None:
        """
        An instance is gone.
        """
        self._leaving.discard(instance)

    def unmet(self) -> int:
        """
        How many more have to leave.
        """
        return max(0, self._total - len(self._leaving))
