"""
Makes the ports for clients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from brxy.broker.quota import Addresses
from brxy.edge.clients.admission import LEARNED_SLOTS, Admission, clientsAllowed
from brxy.edge.clients.answering import HealthCheck
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.clients.httpfactory import HTTPFactory
from brxy.edge.clients.proxied import Proxied
from brxy.edge.clients.redirect import Redirect
from brxy.edge.clients.sni import SNIFactory
from brxy.edge.clients.tcp import TCPFactory
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.events import Events
from brxy.edge.ports import ClientPort, ClientPorts
from brxy.edge.routes import RouteTable
from brxy.tls.alpn import ALPN
from brxy.transport.buffering import WriteBuffer
from brxy.transport.connection import Shared

__all__ = ["makeClientPorts"]

# What every factory of clients' connections is made with.
_Common = tuple[Shared, Dispatch, Limits, Addresses]

# What HTTPS clients may agree on.  Those that offer others are served all the same.
_HTTP = ALPN([b"http/1.1"])


def makeClientPorts(
    reactor: Any,
    settings: EdgeSettings,
    shared: Shared,
    dispatch: Dispatch,
    present: Callable[[str], bool],
    certificates: CertificateStore | None,
    events: Events,
) -> ClientPorts:
    """
    Make the ports for clients, with what makes the connections of each.

    @param present: returns whether a route has an instance.
    """
    return ClientPorts(
        reactor,
        _clientPorts(settings, shared, dispatch, _makeRoutes(settings, present)),
        _makeAdmission(reactor, settings, events),
        Proxied(reactor, settings.proxy_trust, events),
        certificates,
        events,
        settings.limits.tcp_keepalive,
    )


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
    slots = max((each.rule.capacity or LEARNED_SLOTS for each in settings.spawns), default=1)
    return Admission(
        settings.limits.max_connections,
        lambda files: clientsAllowed(files, settings.max_total, slots),
        reactor.seconds,
        events,
    )


def _clientPorts(
    settings: EdgeSettings, shared: Shared, dispatch: Dispatch, routes: RouteTable
) -> list[ClientPort]:
    """
    The ports that the settings name, with what makes the connections of each.
    """
    limits = settings.limits
    # All ports count the connections of an address together.
    common = (shared, dispatch, limits, Addresses(limits.max_connections_per_address))
    http, https = _httpFactories(settings, common, dispatch, routes)
    sni = SNIFactory(*common, routes.route)
    return [
        *(ClientPort("http", each, http) for each in settings.ports),
        *_frontends(settings, common),
        *(ClientPort("https", each, https, alpn=_HTTP) for each in settings.tls_ports),
        *_tlsFrontends(settings, common),
        *(ClientPort("tls", each, sni) for each in settings.sni_ports),
    ]


def _httpFactories(
    settings: EdgeSettings, common: _Common, dispatch: Dispatch, routes: RouteTable
) -> tuple[HTTPFactory, HTTPFactory]:
    """
    What makes the connections of HTTP clients, and those of HTTPS clients.
    """
    limits = settings.limits
    by_host = (*common, routes.route, settings.forwarded_trust)
    redirect = [] if settings.https_redirect is None else [Redirect(settings.https_redirect)]
    health = None
    if settings.health_path is not None:
        health = HealthCheck(settings.health_path, lambda: dispatch.leaving)
    own = [] if health is None else [health]
    serves = settings.half_closed == "serve"
    buffer = None
    if limits.response_buffer:
        buffer = WriteBuffer(limits.response_buffer, limits.response_buffer_total)
    http = HTTPFactory(
        *by_host,
        buffer=buffer,
        serves_half_closed=serves,
        interceptors=[*own, *redirect],
        health=health,
    )
    https = HTTPFactory(
        *by_host,
        buffer=buffer,
        secured=True,
        serves_half_closed=serves,
        hsts=settings.hsts,
        # Over TLS, only a trusted proxy has clients of http.
        interceptors=[*own, *(redirect if settings.forwarded_trust else [])],
        health=health,
    )
    return http, https


def _frontends(settings: EdgeSettings, common: _Common) -> Iterable[ClientPort]:
    for name, each in settings.frontends:
        yield ClientPort("tcp", each, TCPFactory(*common, name), route=name)


def _tlsFrontends(settings: EdgeSettings, common: _Common) -> Iterable[ClientPort]:
    for each in settings.tls_frontends:
        yield ClientPort(
            "tls",
            each.endpoint,
            TCPFactory(*common, each.route),
            alpn=ALPN([name.encode("ascii") for name in each.alpn], strict=True),
            postgres=each.postgres,
            route=each.route,
        )
