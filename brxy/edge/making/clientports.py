"""
Makes the ports for clients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from brxy.edge.clients.admission import Admission, clientsAllowed, slotsOf
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.clients.proxied import Proxied
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.events import Events
from brxy.edge.ports import ClientPorts
from brxy.edge.reload.portset import PortSet
from brxy.edge.routes import RouteTable
from brxy.edge.upgrade.former import Inheritance
from brxy.scaler.scaler import Scaler
from brxy.transport.connection import Shared

__all__ = ["ClientSide", "makeClients"]


@frozen
class ClientSide:
    """
    What clients connect to.

    @ivar routes: finds the route of a host.
    @ivar made: makes the ports.
    @ivar admission: limits the number of clients.
    @ivar ports: the ports, and the clients that are connected.
    """

    routes: RouteTable
    made: PortSet
    admission: Admission
    ports: ClientPorts

    def countAccepted(self) -> int:
        """
        See L{ClientPorts.countAccepted}.
        """
        return self.ports.countAccepted()


def makeClients(
    shared: Shared,
    settings: EdgeSettings,
    dispatch: Dispatch,
    scaler: Scaler,
    certificates: CertificateStore | None,
    events: Events,
    given: Inheritance,
) -> ClientSide:
    """
    Make the ports for clients, with what makes the connections of each.
    """
    reactor = shared.reactor
    routes = _makeRoutes(settings, scaler.present)
    made = PortSet(settings, shared, dispatch, routes)
    admission = _makeAdmission(reactor, settings, events)
    ports = ClientPorts(
        reactor,
        made.ports(settings),
        admission,
        Proxied(reactor, settings.proxy_trust, events),
        certificates,
        events,
        settings.limits.tcp_keepalive,
        given.sockets,
    )
    return ClientSide(routes, made, admission, ports)


def _makeRoutes(settings: EdgeSettings, present: Callable[[str], bool]) -> RouteTable:
    return RouteTable(
        settings.routes,
        [spawn.rule.pattern for spawn in settings.spawns],
        settings.default_route,
        settings.default_route_for_all,
        present,
        settings.aliases,
    )


def _makeAdmission(reactor: Any, settings: EdgeSettings, events: Events) -> Admission:
    slots = max((slotsOf(each.rule.capacity) for each in settings.spawns), default=1)
    return Admission(
        settings.limits.max_connections,
        lambda files: clientsAllowed(files, settings.max_total, slots),
        reactor.seconds,
        events,
    )
