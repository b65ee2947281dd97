"""
The kinds of spawners that a file may name.
"""

from __future__ import annotations

from brxy.errors import BadSpawnSpec
from brxy.interfaces import ISpawnerFactory
from brxy.spawners.registry import findSpawner, findSpawners
from brxy.tomlfile.nearest import didYouMean

__all__ = ["Kinds"]


class Kinds:
    """
    Finds the factories of spawners.  Each is searched for once, which takes long.
    """

    def __init__(self) -> None:
        self._found: dict[str, ISpawnerFactory | str] = {}

    def names(self) -> list[str]:
        """
        The kinds that can be used.
        """
        return sorted(findSpawners()[0])

    def find(self, kind: str) -> ISpawnerFactory | str:
        """
        @return: the factory of a kind, or why there is none.
        """
        if kind not in self._found:
            try:
                self._found[kind] = findSpawner(kind)
            except BadSpawnSpec as error:
                self._found[kind] = f"{error}{didYouMean(kind, self.names())}"
        return self._found[kind]
