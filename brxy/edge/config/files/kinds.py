"""
The kinds of spawners that a file may name.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.config.files.keys import Key, spawnKeys
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
        self._keys: dict[type[Any], dict[str, Key]] = {}

    def names(self) -> list[str]:
        """
        The kinds that can be used.
        """
        return sorted(findSpawners()[0])

    def keys(self, factory: ISpawnerFactory) -> dict[str, Key]:
        """
        The keys of the spawns of a kind.
        """
        options = factory.options
        if options not in self._keys:
            self._keys[options] = spawnKeys(options)
        return self._keys[options]

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
