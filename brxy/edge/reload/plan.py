"""
All that a reload needs, made before the first change: so that nothing is half applied.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from brxy.edge.clients.admission import slotsOf
from brxy.edge.config.served import namedRoutes
from brxy.edge.config.settings import EdgeSettings, Spawn, Spawning
from brxy.edge.reload.changes import Changes, differences, merged
from brxy.edge.routes import RouteTable
from brxy.edge.routing.holdtimes import HoldTimes
from brxy.edge.routing.router import RequestRouter
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rulebook

__all__ = ["Plan", "makePlan"]


@frozen
class Plan:
    """
    What an edge is to change to.

    @ivar changes: what differs from before.
    @ivar settings: those that hold afterwards.
    @ivar book: the limits of instances.
    @ivar routes: which routes are served.
    @ivar router: finds the routes of requests.
    @ivar hold_times: how long clients of a route are held.
    @ivar slots: of an instance, at most.
    @ivar spawnings: how instances are started, by the names of the spawns.
    """

    changes: Changes
    settings: EdgeSettings
    book: Rulebook
    routes: RouteTable
    router: RequestRouter
    hold_times: HoldTimes
    slots: int
    spawnings: Mapping[str, Spawning]


def makePlan(
    before: EdgeSettings, after: EdgeSettings, present: Callable[[str], bool]
) -> Generator[None, None, Plan]:
    """
    Compare settings, and make what the new ones call for.

    @param present: whether a route has an instance now.
    @return: a generator that yields after each step, and returns the plan.
    """
    changes = yield from _compare(before, after)
    spawns = yield from _keepSpawners(before.spawns, after.spawns, changes)
    settings = merged(before, after, spawns)
    book = Rulebook(max_total=settings.max_total, start_timeout=settings.start_timeout)
    default, for_all = settings.default_route, settings.default_route_for_all
    routes = RouteTable((), (), default, for_all, present, settings.aliases)
    spawnings = {}
    slots = 1
    for spawn in spawns:
        slots = max(slots, slotsOf(spawn.rule.capacity))
        book.add(spawn.rule)
        routes.add(spawn.rule.pattern)
        spawnings[spawn.rule.name] = spawn.spawning
        yield
    for host in settings.routes:
        routes.list(host)
        yield
    for route in namedRoutes(settings):
        book.name(route)
        yield
    router, hold_times = RequestRouter(routes), HoldTimes(default)
    for routed in settings.routed:
        router.add(routed)
        hold_times.add(routed)
        yield
    return Plan(changes, settings, book, routes, router, hold_times, slots, spawnings)


def _compare(before: EdgeSettings, after: EdgeSettings) -> Generator[None, None, Changes]:
    found: dict[str, dict[str, None]] = {}
    replaced: dict[str, OnChange] = {}
    for field, name, on_change in differences(before, after):
        if on_change is not None:
            replaced[name] = on_change
        elif field:
            found.setdefault(field, {})[name] = None
        yield
    lists: dict[str, Any] = {field: tuple(names) for field, names in found.items()}
    return Changes(replaced=replaced, **lists)


def _keepSpawners(
    before: Sequence[Spawn], after: Sequence[Spawn], changes: Changes
) -> Generator[None, None, list[Spawn]]:
    yield
    known = {each.rule.name: each for each in before}
    spawns = []
    for each in after:
        spawns.append(_keptSpawner(known.get(each.rule.name), each, changes))
        yield
    yield
    return spawns


def _keptSpawner(old: Spawn | None, new: Spawn, changes: Changes) -> Spawn:
    """
    Keep the spawner that knows the instances, unless it is to be replaced.
    """
    if old is None or old is new or new.rule.name in changes.replaced:
        return new
    return evolve(new, spawning=evolve(new.spawning, spawner=old.spawning.spawner))
