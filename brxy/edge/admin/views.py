"""
Routes and instances as the admin API shows them.

Pure: it gets snapshots.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.admin.state.problems import routeProblems
from brxy.edge.admin.state.usage import Used
from brxy.scaler.instance import State
from brxy.scaler.snapshot import InstanceSnapshot, RouteSnapshot, SpawnSnapshot

__all__ = ["STATES", "instanceView", "routeState", "routeView"]

#: What a route can be in, the first that is true.
STATES = ("stopped", "paused", "held", "failing", "ready", "starting", "draining", "asleep")

_EMPTY = RouteSnapshot(0, (), (), 0, False, False, "")


def routeState(found: RouteSnapshot, held: int, closed: str) -> str:
    """
    @param held: how many clients are held.
    @param closed: C{paused} or C{stopped}; else C{""}.
    @return: one of L{STATES}.
    """
    states = {each.state for each in found.instances}
    if closed:
        return closed
    if held:
        return "held"
    if State.READY in states:
        return "ready"
    if State.ORDERED in states or State.CONNECTED in states:
        return "starting"
    if any(each.allowed == 0 for each in found.spawns):
        return "failing"
    return "draining" if states else "asleep"


def routeView(host: str, found: RouteSnapshot | None, held: int, closed: str) -> dict[str, Any]:
    """
    A route in a list.

    @param found: what the scaler knows of it.
    """
    known = _EMPTY if found is None else found
    instances = known.instances
    ready = [each for each in instances if each.state is State.READY]
    return {
        "host": host,
        "state": routeState(known, held, closed),
        "held": held,
        "in_flight": sum(each.in_flight for each in instances),
        "exchanges": known.exchanges,
        "capacity": sum(each.capacity for each in ready),
        "instances": {
            state.name.lower(): sum(each.state is state for each in instances)
            for state in State
            if state is not State.GONE
        },
        "rolling": known.rolling,
        "short": known.short,
        "problems": routeProblems(known),
        "spawns": [_spawnView(each) for each in known.spawns],
    }


def _spawnView(spawn: SpawnSnapshot) -> dict[str, Any]:
    return {
        "name": spawn.name,
        "instances": spawn.number,
        "retry_after": round(spawn.retry_after, 3),
        "reason": spawn.reason,
    }


def instanceView(host: str, found: InstanceSnapshot, used: Used | None) -> dict[str, Any]:
    """
    An instance.

    @param used: what its processes use, if that is known.
    """
    return {
        "ticket": found.ticket,
        "route": host,
        "state": found.state.name.lower(),
        "spawn": found.spawn,
        "node": found.node_id,
        "generation": found.generation,
        "newest": found.newest,
        "retired": found.retired,
        "responsive": not found.suspended,
        "capacity": found.capacity,
        "learns": found.learns,
        "learned": found.settled,
        "in_flight": found.in_flight,
        "exchanges": found.exchanges,
        "free": found.free,
        "age": round(found.seconds, 3),
        "memory": None if used is None else used.memory,
        "cpu": None if used is None else used.cpu,
    }
