"""
How each instance is reached.
"""

from __future__ import annotations

from brxy.edge.config.settings import Spawning
from brxy.edge.slots.front import Front
from brxy.edge.slots.reach import Greeted, NodeReach, Reach
from brxy.scaler.instance import Instance

__all__ = ["Reaches"]


class Reaches:
    """
    The instances that the edge can send something to: behind a node, or fronted.
    """

    def __init__(self) -> None:
        self._reaches: dict[Instance, Reach] = {}

    def get(self, instance: Instance) -> Reach | None:
        """
        How an instance is reached; L{None} if it is not, yet or any more.
        """
        return self._reaches.get(instance)

    def isNew(self, instance: Instance) -> bool:
        """
        Whether no node of an instance has dialled in so far.
        """
        return not isinstance(self._reaches.get(instance), NodeReach)

    def node(self, instance: Instance, spawned: bool) -> NodeReach:
        """
        A node of an instance dials in.

        @param spawned: it was started for an edge's order.
        """
        reach = self._reaches.get(instance)
        if not isinstance(reach, NodeReach):
            reach = self._reaches[instance] = NodeReach(spawned)
        return reach

    def front(self, instance: Instance, front: Reach) -> None:
        """
        The edge fronts an instance itself.
        """
        self._reaches[instance] = front

    def closed(self, slot: Greeted) -> None:
        """
        A node's slot is gone.
        """
        reach = self._reaches.get(slot.instance)
        if isinstance(reach, NodeReach):
            reach.slots.discard(slot)

    def setNewest(self, instance: Instance, newest: bool) -> None:
        """
        Tell an instance whether it is the newest of its route.
        """
        reach = self._reaches.get(instance)
        if reach is not None:
            reach.setNewest(newest)

    def setTimeouts(self, instance: Instance, spawning: Spawning | None) -> None:
        """
        Have an instance that the edge fronts be idle for another time.  A node has learned its
        own time at its start.
        """
        reach = self._reaches.get(instance)
        if isinstance(reach, Front) and spawning is not None:
            reach.setTimeouts(spawning.idle_timeout, spawning.old_idle_timeout)

    def setElsewhere(self, instance: Instance, needed: bool) -> None:
        """
        Whether a former edge still needs an instance.  A node knows the exchanges of all edges.
        """
        reach = self._reaches.get(instance)
        if isinstance(reach, Front):
            reach.setElsewhere(needed)

    def retire(self, instance: Instance) -> None:
        """
        Have an instance finish its exchanges and end.
        """
        reach = self._reaches.get(instance)
        if reach is not None:
            reach.retire()

    def close(self, instance: Instance) -> None:
        """
        Nothing is left of an instance.
        """
        reach = self._reaches.pop(instance, None)
        if reach is not None:
            reach.close()

    def sayGoodbye(self) -> None:
        """
        The edge is stopping: what was spawned ends, and other nodes dial elsewhere.
        """
        for reach in list(self._reaches.values()):
            if isinstance(reach, NodeReach) and not reach.spawned:
                reach.goAway()
            else:
                reach.retire()
