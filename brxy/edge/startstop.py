"""
Events of an edge that starts, changes its settings, or stops.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from brxy.edge.events import Event

__all__ = [
    "AdminListening",
    "AdminUnavailable",
    "CannotWatch",
    "ClientsAbandoned",
    "FinishingClients",
    "Listening",
    "NeedsRestart",
    "NodesListening",
    "Reloaded",
    "HandedOver",
    "StoppingSpawned",
    "TakenOver",
    "UpgradeFailed",
    "Upgrading",
]


@frozen
class Listening(Event):
    """
    A port for clients is open.

    @ivar where: a URL, or for a Unix socket its path.
    """

    where: str


@frozen
class NodesListening(Event):
    """
    A port for nodes is open.
    """

    where: str


@frozen
class AdminListening(Event):
    """
    A port for the admin API is open.

    @ivar where: a URL, or for a Unix socket its path.
    """

    where: str


@frozen
class AdminUnavailable(Event):
    """
    The socket of the admin API in the state folder can't be opened.
    """

    reason: str


@frozen
class CannotWatch(Event):
    """
    Changes in a folder of configuration files are not noticed.
    """

    folder: str
    reason: str


@frozen
class Reloaded(Event):
    """
    The settings were read again, and what differed was applied.

    @ivar changes: what has changed, in one line.
    @ivar added: the names of new spawns.
    @ivar removed: the names of spawns that are no longer configured.
    @ivar adjusted: the names of spawns with other limits or times.
    @ivar replaced: the names of spawns that start other instances than before.
    @ivar settings: options of the edge that have changed.
    @ivar seconds: how long that took.
    """

    changes: str
    added: Sequence[str]
    removed: Sequence[str]
    adjusted: Sequence[str]
    replaced: Sequence[str]
    settings: Sequence[str]
    seconds: float


@frozen
class NeedsRestart(Event):
    """
    An option has changed that is read only when the edge starts.
    """

    option: str


@frozen
class FinishingClients(Event):
    """
    The edge is stopping, and serves the clients that are connected.

    @ivar seconds: for how long at most.
    """

    count: int
    seconds: float


@frozen
class ClientsAbandoned(Event):
    """
    The time to finish with clients is over, and some are still connected.
    """

    count: int


@frozen
class StoppingSpawned(Event):
    """
    The edge is stopping, and ends the instances that it started.
    """


@frozen
class Upgrading(Event):
    """
    The next edge was started.
    """

    pid: int


@frozen
class UpgradeFailed(Event):
    """
    The next edge can't take the place of this one.
    """

    reason: str


@frozen
class HandedOver(Event):
    """
    The next edge has taken the place of this one, which serves what it has.

    @ivar version: that of the next edge.
    @ivar clients: how many are still connected here.
    @ivar instances: how many this edge still needs.
    @ivar seconds: for how long it stays at most.
    """

    pid: int
    version: str
    clients: int
    instances: int
    seconds: float


@frozen
class TakenOver(Event):
    """
    This edge has taken the place of another one.

    @ivar former: how many edges still serve what they had.
    """

    former: int
