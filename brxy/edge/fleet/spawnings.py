"""
How the instances of each spawn are started now, and what started those from before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from brxy.edge.config.settings import Spawning
from brxy.interfaces import ILocal, IRecovering, ISpawner
from brxy.scaler.instance import Instance

__all__ = ["Spawnings"]


class Spawnings:
    """
    The spawnings of all spawns, which may be replaced while there are instances.

    A spawner that no spawn has any more is kept until its last instance is gone.

    @ivar current: by the names of the spawns.
    """

    def __init__(self, spawnings: Mapping[str, Spawning]) -> None:
        self.current = spawnings
        # By their identity, since spawners of third parties need not be hashable.
        self._former: dict[int, tuple[str, ISpawner]] = {}
        self._numbers: dict[int, int] = {}
        self._users: dict[Instance, ISpawner] = {}

    def adopt(self, spawnings: Mapping[str, Spawning], changed: Iterable[str]) -> None:
        """
        From now on, instances are started in other ways.

        @param changed: the names of the spawns whose spawners are others now, or none.
        """
        for name in changed:
            before, after = self.current[name].spawner, spawnings.get(name)
            if after is None or after.spawner is not before:
                self._former[id(before)] = (name, before)
        self.current = spawnings

    def use(self, instance: Instance, spawner: ISpawner) -> None:
        """
        A spawner has started an instance.
        """
        self._users[instance] = spawner
        self._numbers[id(spawner)] = self._numbers.get(id(spawner), 0) + 1

    def spawner(self, instance: Instance) -> ISpawner | None:
        """
        What has started an instance; L{None} if this edge has not.
        """
        return self._users.get(instance)

    def forget(self, instance: Instance) -> None:
        """
        An instance is gone.
        """
        spawner = self._users.pop(instance, None)
        if spawner is not None:
            self._numbers[id(spawner)] -= 1
            if not self._numbers[id(spawner)]:
                del self._numbers[id(spawner)]

    def idle(self) -> list[tuple[str, ISpawner]]:
        """
        The spawners that no spawn has any more, and that have no instance, with the names of
        the spawns that they were of.
        """
        return [each for key, each in self._former.items() if key not in self._numbers]

    def drop(self, spawner: ISpawner) -> None:
        """
        A spawner that no spawn has any more was stopped.
        """
        del self._former[id(spawner)]

    def all(self) -> Iterator[tuple[str, ISpawner]]:
        """
        All spawners, with the names of the spawns that they are or were of.
        """
        for name, each in self.current.items():
            yield name, each.spawner
        yield from self._former.values()


def outlives(spawner: ISpawner, reached: bool) -> bool:
    """
    Whether what a spawner has started can go on without this edge: the spawner of the next one
    finds it, or a node runs in it that dials the next one.

    @param reached: if a node runs in it, that has dialled in.
    """
    return IRecovering.providedBy(spawner) or (reached and ILocal.providedBy(spawner))
