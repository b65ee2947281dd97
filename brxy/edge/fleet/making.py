"""
Makes what scales, from the settings of an edge.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from time import time
from typing import Any

from brxy.edge.config.served import namedRoutes
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.edge.fleet.scaling import Demand, Scaling
from brxy.edge.fleet.statefile import StateFile, StateKeeper
from brxy.edge.slots.access import Access
from brxy.interfaces import ISpawner
from brxy.scaler.rules import Rulebook
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared

__all__ = ["makeKeeper", "makeScaler", "makeScaling"]


def makeScaler(reactor: Any, settings: EdgeSettings, waiting: Callable[[str], int]) -> Scaler:
    """
    Make what decides which instances there are.

    @param waiting: how many exchanges of a route may have instances ordered.
    """
    return Scaler(
        Rulebook(
            [spawn.rule for spawn in settings.spawns],
            max_total=settings.max_total,
            start_timeout=settings.start_timeout,
            named=namedRoutes(settings),
        ),
        new_ticket=lambda: token_hex(8),
        epoch=time() - reactor.seconds(),
        waiting=waiting,
    )


def makeKeeper(reactor: Any, state: StateFile, scaler: Scaler, events: Events) -> StateKeeper:
    """
    Make what writes the state file when instances change.
    """
    restarts = scaler.restarts
    return StateKeeper(reactor, state, restarts.records, restarts.capacities.records, events)


def makeScaling(
    settings: EdgeSettings,
    shared: Shared,
    scaler: Scaler,
    demand: Demand,
    state: StateFile,
    access: Access,
    keeper: StateKeeper,
    endpoint: Callable[[ISpawner], str],
    events: Events,
) -> Scaling:
    """
    Make what has instances started and ended.

    @param endpoint: where the nodes of a spawner dial in.
    """
    return Scaling(
        shared,
        scaler,
        demand,
        edge_id=state.edge_id,
        access=access,
        limits=settings.limits,
        spawnings={spawn.rule.name: spawn.spawning for spawn in settings.spawns},
        endpoint=endpoint,
        changed=keeper.changed,
        events=events,
    )
