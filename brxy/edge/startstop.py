"""
Events of an edge that starts or stops.
"""

from __future__ import annotations

from attrs import frozen

from brxy.edge.events import Event

__all__ = [
    "AdminListening",
    "AdminUnavailable",
    "ClientsAbandoned",
    "FinishingClients",
    "Listening",
    "NodesListening",
    "StoppingSpawned",
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
