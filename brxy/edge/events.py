"""
Events of an edge, as frozen values, and their listeners.

An event is a change that an operator may want to see: never one per request.  Each
is a value without live objects in it, so that a listener may keep or encode it.
L{brxy.edge.eventlog} writes the log; metrics and an admin API listen in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from attrs import frozen

__all__ = [
    "BadResponse",
    "CertificateExpired",
    "CertificateExpires",
    "ClientsFull",
    "CommandEnded",
    "DialledIn",
    "Draining",
    "DrainingEnded",
    "Drains",
    "Event",
    "Events",
    "ExchangeLost",
    "GivenUp",
    "Gone",
    "Holding",
    "NoNodeAdmitted",
    "NodeRefused",
    "Ordered",
    "Paused",
    "ProxyRefused",
    "Ready",
    "RecoveryFailed",
    "ReloadFailed",
    "Reloading",
    "Responsive",
    "Resumed",
    "Retires",
    "RollFailed",
    "RollStarted",
    "SlotDropped",
    "StartFailed",
    "StateNotSaved",
    "Stopped",
    "Unclaimed",
    "Unresponsive",
    "Woken",
]


@frozen
class Event:
    """
    Something that happened in an edge.
    """


@frozen
class RouteEvent(Event):
    """
    Something that happened to a route.
    """

    route: str


@frozen
class InstanceEvent(RouteEvent):
    """
    Something that happened to an instance.

    @ivar ticket: the identity of the instance in this edge.
    """

    ticket: str


# Routes


@frozen
class Holding(RouteEvent):
    """
    The edge holds the first client of a route that has no ready instance.
    """


@frozen
class StartFailed(InstanceEvent):
    """
    A spawner could not even begin to start an instance.
    """

    reason: str


@frozen
class RollStarted(RouteEvent):
    """
    The edge begins to replace the instances of a route.
    """


@frozen
class RollFailed(RouteEvent):
    """
    A roll ended before every older instance was replaced.
    """

    reason: str


@frozen
class Woken(RouteEvent):
    """
    An operator has instances of a route started.

    @ivar count: how many at least are to be ready.
    @ivar seconds: for how long.
    """

    count: int
    seconds: float


@frozen
class Paused(RouteEvent):
    """
    An operator has the clients of a route held.

    @ivar seconds: for how long at most.
    """

    seconds: float


@frozen
class Stopped(RouteEvent):
    """
    An operator has the clients of a route refused.

    @ivar message: what they get.
    """

    message: str


@frozen
class Resumed(RouteEvent):
    """
    The clients of a route that was paused or stopped are served again.
    """


@frozen
class ExchangeLost(RouteEvent):
    """
    The connection to the app ended before its response was complete.
    """

    reason: str


@frozen
class BadResponse(RouteEvent):
    """
    An app sent what is no HTTP response.
    """

    reason: str


# Instances


@frozen
class Ordered(InstanceEvent):
    """
    A spawner was given the order to start an instance.
    """


@frozen
class DialledIn(InstanceEvent):
    """
    The first slot of a node is open.
    """

    node: str


@frozen
class Ready(InstanceEvent):
    """
    An instance takes exchanges for the first time.

    @ivar seconds: from its order until now.
    """

    seconds: float


@frozen
class Drains(InstanceEvent):
    """
    An instance takes no more exchanges.
    """


@frozen
class Retires(InstanceEvent):
    """
    The edge has an instance finish its exchanges and end.
    """


@frozen
class Unresponsive(InstanceEvent):
    """
    An instance took an exchange and does not answer.
    """


@frozen
class Responsive(InstanceEvent):
    """
    An unresponsive instance answers again.
    """


@frozen
class CommandEnded(InstanceEvent):
    """
    The command of an instance ended, but its node may still run elsewhere.
    """

    reason: str


@frozen
class GivenUp(InstanceEvent):
    """
    The edge stops an instance that did not become ready, or fails.

    @ivar late: it was not ready in time.
    """

    reason: str
    late: bool = False


@frozen
class Gone(InstanceEvent):
    """
    Nothing of an instance is left.
    """

    reason: str


@frozen
class SlotDropped(InstanceEvent):
    """
    The edge closed a slot because of what its node sent, or did not send.
    """

    reason: str


# Nodes and clients


@frozen
class NodeRefused(Event):
    """
    The edge did not admit a node.

    @ivar where: the host that it connected from.
    """

    where: str
    reason: str


@frozen
class NoNodeAdmitted(Event):
    """
    The node port is open, but no node could authenticate.
    """


@frozen
class ProxyRefused(Event):
    """
    A trusted proxy's connection had no valid PROXY header.
    """

    proxy: str
    reason: str


@frozen
class ClientsFull(Event):
    """
    The maximum of client connections is reached.
    """

    count: int


# The edge itself


@frozen
class CertificateExpires(Event):
    """
    A certificate for clients expires soon.

    @ivar where: its file.
    """

    where: str
    end: datetime


@frozen
class CertificateExpired(Event):
    """
    A certificate for clients has expired.
    """

    where: str
    end: datetime


@frozen
class Unclaimed(Event):
    """
    Instances of an earlier run belong to a spawn that is no longer configured.

    @ivar spawn: its name.
    @ivar names: the instances, as C{ROUTE/TICKET}.
    @ivar edge: the id of this edge, with which they are marked.
    """

    spawn: str
    names: Sequence[str]
    edge: str


@frozen
class RecoveryFailed(Event):
    """
    A spawner could not find out what an earlier run of the edge has left.
    """

    spawn: str
    reason: str


@frozen
class Draining(Event):
    """
    An operator has the edge prepare for its end.
    """


@frozen
class DrainingEnded(Event):
    """
    The edge takes clients again.
    """


@frozen
class Reloading(Event):
    """
    The edge reads its certificates and tokens again.
    """


@frozen
class ReloadFailed(Event):
    """
    A file could not be read again; the edge keeps what it had.
    """

    reason: str


@frozen
class StateNotSaved(Event):
    """
    The state file could not be written.
    """

    reason: str


class Events:
    """
    Passes each event on to every listener, in order.
    """

    def __init__(self, listeners: Sequence[Callable[[Event], None]] = ()) -> None:
        self._listeners = tuple(listeners)

    def add(self, listener: Callable[[Event], None]) -> None:
        """
        Pass events on to one more listener.
        """
        self._listeners += (listener,)

    def emit(self, event: Event) -> None:
        """
        Something happened.
        """
        for listener in self._listeners:
            listener(event)
