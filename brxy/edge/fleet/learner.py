"""
Learning the capacities of the instances that the edge fronts itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from brxy.apps.learning import Learn, learning
from brxy.edge.config.settings import Spawning
from brxy.edge.events import Events
from brxy.edge.learning import CapacityUnknown
from brxy.errors import Unseen
from brxy.interfaces import Address, IInstance, ILocalProcess
from brxy.scaler.instance import Instance

__all__ = ["Learner"]


class Learner:
    """
    Has capacities learned where that is possible, and reports once for each spawn why it is
    not.
    """

    def __init__(self, clock: Any, events: Events) -> None:
        self._clock = clock
        self._events = events
        self._reported: set[str | None] = set()

    def learn(
        self, instance: Instance, handle: IInstance, address: Address, spawning: Spawning
    ) -> Learn | None:
        """
        @param handle: what the spawner returned for the instance.
        @return: what learns the capacity of an instance; L{None} if that is fixed, or can't be
            learned.
        """
        if not instance.learns:
            return None
        try:
            pid = _process(handle)
            return learning(
                self._clock,
                address,
                instance.max_capacity,
                partial(self._unlearned, instance),
                pid=pid,
                server_first=spawning.speaks_first == "server",
            )
        except Unseen as error:
            self._unlearned(instance, str(error))
            return None

    def _unlearned(self, instance: Instance, reason: str) -> None:
        instance.learn(False)
        if instance.spawn not in self._reported:
            self._reported.add(instance.spawn)
            self._events.emit(CapacityUnknown(instance.route, instance.ticket, reason))


def _process(handle: IInstance) -> int | None:
    """
    @return: a process of an instance; L{None} if its spawner knows none, and its network
        namespace is our own.
    @raise Unseen: it may be on another machine.
    """
    if not ILocalProcess.providedBy(handle):
        return None
    pid = ILocalProcess(handle).pid
    if pid is None:
        raise Unseen("it may be on another machine")
    return pid
