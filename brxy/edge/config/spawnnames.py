"""
The names of spawns.
"""

from __future__ import annotations

from collections import Counter

from brxy.errors import UsageError

__all__ = ["SpawnNames"]


class SpawnNames:
    """
    Names the spawns of an edge, in the order in which they are given: by the name that
    a spawn has, else by its kind, and from the second of a kind on with its number among
    those without a name.
    """

    def __init__(self) -> None:
        self._unnamed: Counter[str] = Counter()
        self._names: set[str] = set()

    def add(self, kind: str, given: str | None) -> str:
        """
        @param given: the name that the spawn was given, if it was.
        @return: the name of the next spawn.
        @raise UsageError: another spawn has it.
        """
        name = given
        if name is None:
            self._unnamed[kind] += 1
            number = self._unnamed[kind]
            name = kind if number == 1 else f"{kind}-{number}"
        if name in self._names:
            raise UsageError(f"two --spawn are named {name}: give one another name=")
        self._names.add(name)
        return name
