"""
The ports for clients that settings name, with what makes the connections of each.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

from brxy.broker.quota import Addresses
from brxy.edge.clients.answering import HealthCheck
from brxy.edge.clients.httpfactory import HTTPFactory
from brxy.edge.clients.listener import HTTPListener
from brxy.edge.clients.redirect import Redirect
from brxy.edge.clients.sni import SNIFactory
from brxy.edge.clients.tcp import TCPFactory
from brxy.edge.config.kinds import Frontend
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.ports import ClientPort
from brxy.edge.routes import RouteTable
from brxy.edge.routing.errorpages import NO_PAGES, ErrorPages
from brxy.edge.routing.router import RequestRouter
from brxy.tls.alpn import ALPN
from brxy.transport.buffering import WriteBuffer
from brxy.transport.connection import Shared

__all__ = ["PortSet"]

# What HTTPS clients may agree on.  Those that offer others are served all the same.
_HTTP = ALPN([b"http/1.1"])


class PortSet:
    """
    Makes ports.  One that other settings name as well is the same object.
    """

    def __init__(
        self, settings: EdgeSettings, shared: Shared, dispatch: Dispatch, routes: RouteTable
    ) -> None:
        """
        @param settings: for all that is not about one port.
        """
        limits = settings.limits
        # All ports count the connections of an address together.
        common = (shared, dispatch, limits, Addresses(limits.max_connections_per_address))
        by_host = (*common, routes.route, settings.forwarded_trust)
        redirect = [] if settings.https_redirect is None else [Redirect(settings.https_redirect)]
        health = None
        if settings.health_path is not None:
            health = HealthCheck(settings.health_path, lambda: dispatch.leaving)
        own = [] if health is None else [health]
        serves = settings.half_closed == "serve"
        sizes = limits.response_buffer, limits.response_buffer_total
        buffer = WriteBuffer(*sizes) if limits.response_buffer else None
        self._http = HTTPFactory(
            *by_host,
            buffer=buffer,
            serves_half_closed=serves,
            interceptors=[*own, *redirect],
            health=health,
        )
        self._https = HTTPFactory(
            *by_host,
            buffer=buffer,
            secured=True,
            serves_half_closed=serves,
            hsts=settings.hsts,
            # Over TLS, only a trusted proxy has clients of http.
            interceptors=[*own, *(redirect if settings.forwarded_trust else [])],
            health=health,
        )
        self.show(settings.error_pages)
        self.route(RequestRouter(routes, settings.routed))
        self._sni = SNIFactory(*common, routes.route)
        self._tcp = partial(TCPFactory, *common)
        self._made: dict[Hashable, ClientPort] = {}

    @property
    def listeners(self) -> Sequence[HTTPListener]:
        """
        Those of HTTP clients.
        """
        return self._http, self._https

    def route(self, router: RequestRouter) -> None:
        """
        Find the routes of HTTP requests by a router from now on.
        """
        for each in self.listeners:
            each.adopt(router)

    def show(self, pages: ErrorPages | None) -> None:
        """
        Answer with these pages for errors from now on.
        """
        for each in self.listeners:
            each.pages = pages or NO_PAGES

    def reloadPages(self) -> None:
        """
        Read the pages for errors again.

        @raise UsageError: they can't be used, and stay as they are.
        """
        self._http.pages.reload()

    def ports(self, settings: EdgeSettings) -> list[ClientPort]:
        """
        The ports that settings name.
        """
        return [self._port(key, make) for key, make in self._named(settings)]

    def _port(self, key: Hashable, make: Callable[[], ClientPort]) -> ClientPort:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _named(
        self, settings: EdgeSettings
    ) -> Iterator[tuple[Hashable, Callable[[], ClientPort]]]:
        for each in settings.ports:
            yield ("http", each), partial(ClientPort, "http", each, self._http)
        for name, each in settings.frontends:
            yield ("tcp", name, each), partial(self._frontend, name, each)
        for each in settings.tls_ports:
            yield ("https", each), partial(ClientPort, "https", each, self._https, alpn=_HTTP)
        for frontend in settings.tls_frontends:
            key = (frontend.route, frontend.endpoint, tuple(frontend.alpn), frontend.postgres)
            yield key, partial(self._tlsFrontend, frontend)
        for each in settings.sni_ports:
            yield ("tls", each), partial(ClientPort, "tls", each, self._sni)

    def _frontend(self, route: str, endpoint: str) -> ClientPort:
        return ClientPort("tcp", endpoint, self._tcp(route), route=route)

    def _tlsFrontend(self, frontend: Frontend) -> ClientPort:
        return ClientPort(
            "tls",
            frontend.endpoint,
            self._tcp(frontend.route),
            alpn=ALPN([name.encode("ascii") for name in frontend.alpn], strict=True),
            postgres=frontend.postgres,
            route=frontend.route,
        )
