"""
What becomes of the instances of an edge when another one takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brxy.edge.fleet.scaling import Scaling
from brxy.edge.slots.reach import NodeReach
from brxy.scaler.scaler import Scaler

__all__ = ["elsewhere", "handOver", "staying"]


def handOver(scaling: Scaling, scaler: Scaler) -> None:
    """
    Have nodes dial the other edge, and what can't go there end when its exchanges are over.
    """
    scaling.leaving = True
    scaler.floors.clear()
    for instance in scaler.restarts.instances():
        reach = scaling.reaches.get(instance)
        moves = scaling.starter.letGo(instance, reach is not None)
        if isinstance(reach, NodeReach) and moves:
            reach.goAway()
        elif reach is not None:
            reach.retire()
        elif not moves:
            scaling.starter.stop(instance)


def staying(scaling: Scaling, scaler: Scaler) -> dict[str, list[str | None]]:
    """
    The instances that this edge still needs: route and spawn of each, by ticket.
    """
    started = scaling.starter.handles
    return {
        each.ticket: [each.route, each.spawn]
        for each in scaler.restarts.instances()
        if each in started or each.offer.in_flight
    }


def elsewhere(
    scaling: Scaling, scaler: Scaler, instances: Mapping[str, Sequence[str | None]]
) -> None:
    """
    Former edges still need these instances, see L{staying}.
    """
    scaling.elsewhere = instances.keys()
    for instance in scaler.restarts.instances():
        scaling.reaches.setElsewhere(instance, instance.ticket in instances)
    scaling.perform(scaler.elsewhere.set(instances, scaling.seconds()))
