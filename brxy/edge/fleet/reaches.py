"""
The instances as the edge deals with them: what they are told, and by whom they
are started and stopped.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from brxy.edge.fleet.starter import Starter
from brxy.edge.slots.reach import NodeReach, Reach
from brxy.scaler.instance import Instance

__all__ = ["Reaches"]


class Reaches:
    """
    Every instance that can be told something, or that a spawner runs.

    @param changed: called when there are others than before.
    """

    _log = Logger()

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._reaches: dict[Instance, Reach] = {}
        self._starter: Starter | None = None

    def useStarter(self, starter: Starter) -> None:
        """
        Have orders performed, from now on.
        """
        self._starter = starter

    def note(self, instance: Instance, what: str, **more: object) -> None:
        """
        Log what happens to an instance.

        @param what: the format of the line; C{more} goes into it.
        """
        self._log.info(
            "{route}/{ticket}: " + what, route=instance.route, ticket=instance.ticket, **more
        )

    def get(self, instance: Instance) -> Reach | None:
        """
        How to talk to an instance, if it can be talked to.
        """
        return self._reaches.get(instance)

    def node(self, instance: Instance, node_id: str, spawned: bool) -> NodeReach:
        """
        How to talk to an instance whose node dials in now.

        @param spawned: it was started for an edge's order.
        """
        reach = self._reaches.get(instance)
        if not isinstance(reach, NodeReach):
            reach = self._reaches[instance] = NodeReach(spawned)
            self.note(instance, "node {node} dialled in", node=node_id)
        self._changed()
        return reach

    def front(self, instance: Instance, front: Reach) -> None:
        """
        The edge fronts this instance itself.
        """
        self._reaches[instance] = front
        self._changed()

    # What becomes of them

    def order(self, instance: Instance) -> None:
        """
        Have an instance started.
        """
        assert self._starter is not None, "an order before there is anybody to perform it"
        self._changed()
        self._starter.start(instance)

    def setNewest(self, instance: Instance, newest: bool) -> None:
        """
        Tell an instance whether it is the newest of its route.
        """
        reach = self._reaches.get(instance)
        if reach is not None:
            reach.setNewest(newest)

    def retire(self, instance: Instance) -> None:
        """
        Tell an instance to finish what it has and go.
        """
        self.note(instance, "retires")
        reach = self._reaches.get(instance)
        if reach is not None:
            reach.retire()

    def end(self, instance: Instance, reason: str) -> None:
        """
        Have an instance stopped by its spawner.
        """
        self.note(instance, "given up: {reason}", reason=reason)
        self.stop(instance)

    def stop(self, instance: Instance) -> None:
        """
        Have an instance stopped that has nothing left to do.
        """
        if self._starter is not None:
            self._starter.stop(instance)

    def bury(self, instance: Instance, reason: str) -> None:
        """
        Nothing is left of an instance.
        """
        self.note(instance, "gone: {reason}", reason=reason)
        reach = self._reaches.pop(instance, None)
        if reach is not None:
            reach.close()
        if self._starter is not None:
            self._starter.forget(instance)
        self._changed()

    def sayGoodbye(self) -> None:
        """
        The edge leaves: what was spawned ends, other nodes dial elsewhere.
        """
        for reach in list(self._reaches.values()):
            if isinstance(reach, NodeReach) and not reach.spawned:
                reach.goAway()
            else:
                reach.retire()
