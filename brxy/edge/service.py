"""
The edge: what listens, and how it comes up and goes down.

The way of an exchange through it, in order:

  1. L{brxy.edge.clients.http1} takes a request (or a TCP connection) from a client,
     behind the header of a proxy if it comes through one (L{brxy.edge.clients.proxied});
     L{brxy.http.messages} reads its head, L{brxy.edge.routes} tells its route.
  2. L{brxy.edge.exchanges.carrier} carries it; what becomes of it stands in the table of
     L{brxy.edge.exchanges.table}.
  3. L{brxy.edge.dispatch} asks L{brxy.broker.broker} for a slot: a Match now, or
     it is held, and L{brxy.scaler.scaler} is asked for more instances.
  4. L{brxy.edge.fleet.starter} has a spawner start what was ordered.  The instance's
     node dials in (L{brxy.edge.slots.node}), or the edge fronts it
     (L{brxy.edge.slots.direct}).
  5. The slot takes the exchange, and its response goes back the same way.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from secrets import token_hex
from time import time
from typing import Any

from twisted.application.service import Service
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from brxy.broker.broker import Broker
from brxy.broker.quota import Addresses
from brxy.edge.clients.admission import Admission, clientsAllowed
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.clients.connection import ClientFactory
from brxy.edge.clients.httpfactory import HTTPFactory
from brxy.edge.clients.proxied import Proxied
from brxy.edge.clients.redirect import RedirectFactory
from brxy.edge.clients.sni import SNIFactory
from brxy.edge.clients.tcp import TCPFactory
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.dispatch import Dispatch
from brxy.edge.endpoints import checkPrivate, edgeEndpoint, listen, private
from brxy.edge.events import Events, LogListener
from brxy.edge.exchanges.table import Exchange
from brxy.edge.fleet.recovery import reportUnclaimed
from brxy.edge.fleet.scaling import Scaling
from brxy.edge.fleet.statefile import StateFile
from brxy.edge.routes import RouteTable
from brxy.edge.slots.access import Access
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.errors import UsageError
from brxy.program.systemd import READY, STOPPING
from brxy.program.tokenfile import makeToken, readToken
from brxy.reactor.signals import Grace, firstOf, onSignal
from brxy.scaler.scaler import Scaler
from brxy.tls.handshakes import Handshakes, encrypted
from brxy.transport.connection import Shared
from brxy.values.routepattern import canonical

__all__ = ["EdgeService"]

# A client that was let in a moment ago, or keeps its connection, may just have
# asked when the edge begins to stop; it gets so many seconds.
LEAVE_PAUSE = 1.0

# Seconds between two looks at whether a certificate should be renewed.
_DAY = 86400.0


class EdgeService(Service):
    """
    One edge.

    @ivar addresses: where clients connect, in the order of the settings; known
        once it has started.
    @ivar node_addresses: where nodes dial in.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        notify: Callable[[str], None] = lambda state: None,
    ) -> None:
        """
        @param notify: tells whoever supervises us, see L{brxy.program.systemd}.
        @raise UsageError: the state or another file can't be used.
        """
        self._reactor = reactor
        self._settings = settings
        self._notify = notify
        self._state = StateFile(settings.state_dir)
        self._saving: IDelayedCall | None = None
        # What SIGHUP has read anew; each raises L{UsageError} if it can't be.
        self._reloads: list[Callable[[], None]] = [self._readToken]
        self._access = Access(self._state.key, settings.allowed)
        if settings.token_file is not None:
            makeToken(settings.token_file)
        self._readToken()
        self._shared = Shared(reactor)
        self._ports: list[IListeningPort] = []
        self._node_ports: list[IListeningPort] = []
        limits = settings.limits
        broker: Broker[Exchange, Any] = Broker(
            limits.max_held,
            settings.hold_timeout,
            max_held_total=limits.held_total,
            max_held_per_address=limits.max_held_per_address,
        )
        self._events = Events([LogListener()])
        self._scaler = Scaler(
            [spawn.rule for spawn in settings.spawns],
            max_total=settings.max_total,
            new_ticket=lambda: token_hex(8),
            epoch=time() - reactor.seconds(),
            start_timeout=settings.start_timeout,
            named=_named(settings),
            waiting=broker.held,
        )
        self._sought = self._scaler.restore(self._state.instances, reactor.seconds())
        self._brokerage = Dispatch(
            self._shared,
            broker,
            retries=settings.retries,
            response_timeout=settings.response_timeout,
            events=self._events,
        )
        self._scaling = Scaling(
            self._shared,
            self._scaler,
            self._brokerage,
            edge_id=self._state.edge_id,
            access=self._access,
            limits=limits,
            spawnings={spawn.rule.name: spawn.spawning for spawn in settings.spawns},
            endpoint=lambda: edgeEndpoint(self._addressesForSpawned()),
            changed=self._changed,
            events=self._events,
        )
        routes = RouteTable(
            settings.routes,
            [spawn.rule.pattern for spawn in settings.spawns],
            settings.default_route,
            settings.default_route_for_all,
            self._scaler.present,
        )
        common = (self._shared, self._brokerage, limits)
        addresses = Addresses(limits.max_connections_per_address)
        http = (*common, addresses, routes.route, settings.forwarded_trust)
        self._http = HTTPFactory(*http)
        if settings.https_redirect is not None:
            self._http = RedirectFactory(*http, settings.https_redirect)
        self._https = HTTPFactory(*http, secured=True, hsts=settings.hsts)
        self._tcp, self._tls_tcp = (
            [TCPFactory(*common, addresses, name) for name, _ in frontends]
            for frontends in (settings.frontends, settings.tls_frontends)
        )
        self._sni = SNIFactory(*common, addresses, routes.route)
        self._admission = Admission(limits.max_connections, self._clientsAllowed, reactor.seconds)
        self._proxied = Proxied(reactor, settings.proxy_trust)
        self._certificates: CertificateStore | None = None
        if settings.tls_certs is not None:
            self._certificates = CertificateStore(settings.tls_certs)
            self._reloads.append(self._certificates.reload)
            self._looks = LoopingCall(self._certificates.warn)
            self._looks.clock = reactor
        self._client_handshakes = Handshakes(reactor)
        self._slots = SlotFactory(self._shared, self._brokerage)
        self._handshakes = Handshakes(reactor)
        self._node_tls: NodeTLS | None = None
        if settings.node_tls is not None:
            self._node_tls = NodeTLS(settings.node_tls)
            self._reloads.append(self._node_tls.reload)

    @property
    def addresses(self) -> list[Any]:
        """
        Where clients connect.
        """
        return [port.getHost() for port in self._ports]

    @property
    def node_addresses(self) -> list[Any]:
        """
        Where nodes dial in.
        """
        return [port.getHost() for port in self._node_ports]

    # Coming up

    def startService(self) -> None:
        """
        Open the ports.

        @raise UsageError: one of them can't be opened.
        """
        super().startService()
        onSignal(self._reactor, signal.SIGHUP, self._reload)
        # twistd takes SIGUSR1 to rotate its log.
        onSignal(self._reactor, signal.SIGUSR2, self._scaling.rollAll)
        settings = self._settings
        for endpoint in settings.node_ports:
            self._listenForNodes(private(endpoint))
        self._warnOfLoneliness()
        # Without a state this edge is a new one, and has left nothing.
        if settings.state_dir is not None:
            reportUnclaimed(
                self._state.instances,
                [spawn.rule for spawn in settings.spawns],
                self._state.edge_id,
                self._events,
            )
            self._scaling.starter.recover(self._sought)
        for endpoint in settings.ports:
            self._serve(endpoint, self._http)
        for (_, endpoint), factory in zip(settings.frontends, self._tcp, strict=True):
            self._serve(endpoint, factory)
        if self._certificates is not None:
            self._serveByTLS(self._certificates)
        for endpoint in settings.sni_ports:
            self._serve(endpoint, self._sni)
        for port in self._ports:
            self._admission.watch(port)
        self._notify(READY)

    def _serveByTLS(self, certificates: CertificateStore) -> None:
        settings = self._settings
        served: list[tuple[str, IProtocolFactory]]
        served = [(each, self._https) for each in settings.tls_ports]
        for (_, endpoint), each in zip(settings.tls_frontends, self._tls_tcp, strict=True):
            served.append((endpoint, each))
        for endpoint, factory in served:
            secured = encrypted(
                factory, certificates, self._client_handshakes, clock=self._reactor
            )
            self._serve(endpoint, secured)
        self._looks.start(_DAY)

    def _addressesForSpawned(self) -> list[Any]:
        # By TLS they would need more than their token.
        addresses = self.node_addresses
        if self._node_tls is not None:
            addresses.sort(key=lambda address: not isinstance(address, UNIXAddress))
        return addresses

    def _warnOfLoneliness(self) -> None:
        settings = self._settings
        by_itself = settings.token_file or (settings.node_tls and settings.node_tls.ca)
        spawned = any(spawn.spawning.spawner.dials_back for spawn in settings.spawns)
        if self._node_ports and not by_itself and not spawned:
            self._log.warn("no node can come in: give a --token-file")

    def _listenForNodes(self, endpoint: str) -> None:
        local = endpoint.startswith("unix:") or "domain=UNIX" in endpoint
        tls = None if local else self._node_tls
        factory: IProtocolFactory = self._slots
        if tls is not None:
            factory = encrypted(
                self._slots,
                tls,
                self._handshakes,
                clock=self._reactor,
                failed=self._slots.shakenOff,
            )
        port = listen(self._reactor, endpoint, factory)
        self._node_ports.append(port)
        if tls is None and not self._settings.insecure_node_port:
            checkPrivate(endpoint, port.getHost())

    def _serve(self, endpoint: str, factory: IProtocolFactory) -> None:
        """
        Open a port for clients.
        """
        self._ports.append(listen(self._reactor, endpoint, self._proxied.wrap(factory)))

    # What is read anew

    def _reload(self) -> None:
        """
        Read the files that may change while we run (SIGHUP).  What can't be
        used stays as it was.
        """
        self._log.info("reads its certificates and tokens anew")
        for reload in self._reloads:
            try:
                reload()
            except UsageError as error:
                self._log.error("goes on with what it had: {error}", error=error)

    def _readToken(self) -> None:
        path = self._settings.token_file
        if path is not None:
            self._access.share(readToken(path))

    def _clientsAllowed(self, files: int) -> int:
        settings = self._settings
        capacity = max((spawn.rule.capacity for spawn in settings.spawns), default=1)
        return clientsAllowed(files, settings.max_total, capacity)

    # What is remembered

    def _changed(self) -> None:
        # In the same turn many may change.
        if self._saving is None and self._settings.state_dir is not None:
            self._saving = self._reactor.callLater(0, self._save)

    def _save(self) -> None:
        self._saving = None
        try:
            self._state.save(self._scaler.records())
        except OSError as error:
            self._log.error("can't write the state: {error}", error=error)

    # Going down

    def stopService(self) -> Deferred[None]:
        """
        Stop accepting, serve or answer who is held, end what was spawned.

        @return: fires when nothing is left.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._notify(STOPPING)
        grace = Grace(self._reactor, self._settings.drain_timeout)
        brokerage = self._brokerage
        brokerage.leave()
        self._admission.leave()
        for port in self._ports:
            await _asDeferred(port.stopListening())
        if self._certificates is not None and self._looks.running:
            self._looks.stop()
        await self._finishClients(grace)
        self._client_handshakes.stop()
        brokerage.rejectAll()
        self._scaling.sayGoodbye()
        self._log.info("stopping what was spawned")
        # When told twice, those who have been told to stop are not waited for.
        await firstOf(self._scaling.starter.stopAll(), grace.told)
        for port in self._node_ports:
            await _asDeferred(port.stopListening())
        grace.stop()
        # Whoever was told just now has it in a buffer yet.
        await deferLater(self._reactor, 0)
        self._proxied.abort()
        for factory in self._clientFactories():
            factory.abort()
        self._handshakes.stop()
        self._slots.stop()
        if self._saving is not None:
            self._saving.cancel()
            self._save()
        brokerage.stop()
        self._scaling.stop()
        self._shared.stop()

    async def _finishClients(self, grace: Grace) -> None:
        connected = max(self._admission.count, self._countClients())
        if not connected:
            return
        self._log.info("finishing with {n} clients", n=connected)
        pause: Deferred[None] = deferLater(self._reactor, LEAVE_PAUSE)
        pause.addErrback(lambda failure: failure.trap(CancelledError))
        if connected > self._countClients():
            # In the midst of a handshake one is nobody's client yet.
            await firstOf(pause, grace.now)
        else:
            await firstOf(self._nobody(), pause, grace.now)
        pause.cancel()
        self._http.leave()
        self._https.leave()
        await firstOf(self._nobody(), grace.now)
        if self._countClients():
            self._log.warn("not waiting for {n} clients any longer", n=self._countClients())

    def _nobody(self) -> Deferred[Any]:
        return DeferredList([each.whenEmpty() for each in self._clientFactories()])

    def _countClients(self) -> int:
        return sum(len(factory.clients) for factory in self._clientFactories())

    def _clientFactories(self) -> list[ClientFactory[Any]]:
        return [self._http, self._https, *self._tcp, *self._tls_tcp, self._sni]


def _named(settings: EdgeSettings) -> list[str]:
    """
    The routes that the settings name.
    """
    hosts = [canonical(host, settings.default_route) for host in settings.routes]
    frontends = (*settings.frontends, *settings.tls_frontends)
    return [settings.default_route, *hosts, *(name for name, _ in frontends)]


async def _asDeferred(result: Any) -> None:
    if isinstance(result, Deferred):
        await result
