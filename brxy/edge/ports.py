"""
The ports of an edge: for clients, and for nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall, deferLater

from brxy.edge.clients.admission import Admission
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.clients.connection import ClientFactory
from brxy.edge.clients.postgres import START_TIMEOUT, PostgresFactory
from brxy.edge.clients.proxied import Proxied
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.endpoints import checkOpenable, checkPrivate, edgeEndpoint, listen, private, shown
from brxy.edge.events import Events, NoNodeAdmitted
from brxy.edge.nodesocket import NodeSocket
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.edge.startstop import (
    ClientsAbandoned,
    FinishingClients,
    Listening,
    NodesListening,
)
from brxy.interfaces import ILocal, ISpawner
from brxy.reactor.prelude import Preludes
from brxy.reactor.signals import Grace, firstOf
from brxy.tls.alpn import ALPN
from brxy.tls.handshakes import Handshakes, encrypted

__all__ = ["ClientPort", "ClientPorts", "NodePorts"]

# Seconds for a client that was accepted a moment ago, or that keeps its connection:
# it may already have sent a request when the edge begins to stop.
LEAVE_PAUSE = 1.0

# Seconds between two checks whether a certificate should be renewed.
_DAY = 86400.0


@frozen
class ClientPort:
    """
    One port for clients, as the settings name it.

    @ivar endpoint: a Twisted server endpoint.
    @ivar scheme: what clients speak there, as a URL says it; for the log.
    @ivar factory: makes the connections of its clients.
    @ivar alpn: the protocols that it agrees to if its clients connect over TLS; else
        L{None}.
    @ivar postgres: its clients may request TLS as those of PostgreSQL do.
    @ivar route: that of all its clients, if they have one; for the log.
    """

    scheme: str
    endpoint: str
    factory: ClientFactory[Any]
    alpn: ALPN | None = None
    postgres: bool = False
    route: str = ""


class ClientPorts:
    """
    The ports for clients, and the clients that are connected to them.
    """

    def __init__(
        self,
        reactor: Any,
        ports: Sequence[ClientPort],
        admission: Admission,
        proxied: Proxied,
        certificates: CertificateStore | None,
        events: Events,
        keepalive: float,
    ) -> None:
        """
        @param ports: the ports, in the order in which they are opened.
        @param admission: keeps the number of clients within its limit.
        @param proxied: reads the PROXY headers of trusted proxies.
        @param certificates: of the secured ports.
        @param keepalive: after how many seconds of silence the kernel probes a client; 0 for
            never.
        """
        self._reactor = reactor
        self._named = ports
        self._factories = list(dict.fromkeys(each.factory for each in ports))
        self._admission = admission
        self._proxied = proxied
        self._certificates = certificates
        self._handshakes = Handshakes(reactor)
        self._starts = Preludes(reactor, START_TIMEOUT)
        self._events = events
        self._open: list[IListeningPort] = []
        self._checks: LoopingCall | None = None
        self._keepalive = keepalive

    @property
    def addresses(self) -> list[Any]:
        """
        Where clients connect: one address for each port, in their order.
        """
        return [port.getHost() for port in self._open]

    @property
    def shown(self) -> list[str]:
        """
        The ports as people know them.
        """
        pairs = zip(self._named, self._open, strict=False)
        return [shown(named.scheme, port.getHost()) for named, port in pairs]

    def check(self) -> None:
        """
        Check that all ports can be opened.

        @raise UsageError: one of them can't be.
        """
        for each in self._named:
            checkOpenable(each.endpoint)

    def open(self) -> None:
        """
        Open all ports.

        @raise UsageError: one of them can't be opened.
        """
        for each in self._named:
            factory = self._proxied.wrap(self._secured(each))
            port = listen(self._reactor, each.endpoint, factory, keepalive=self._keepalive)
            self._open.append(port)
            where = shown(each.scheme, port.getHost())
            self._events.emit(Listening(f"{where} for {each.route}" if each.route else where))
        for port in self._open:
            self._admission.watch(port)
        if self._certificates is not None:
            self._checks = LoopingCall(self._certificates.warn)
            self._checks.clock = self._reactor
            self._checks.start(_DAY)

    def _secured(self, port: ClientPort) -> IProtocolFactory:
        if port.alpn is None:
            return port.factory
        assert self._certificates is not None, "TLS without certificates"
        creator = self._certificates.creator(port.alpn)
        secured = encrypted(port.factory, creator, self._handshakes, clock=self._reactor)
        return PostgresFactory(self._starts, secured, port.factory) if port.postgres else secured

    def count(self) -> int:
        """
        @return: how many clients are connected, without those in a TLS handshake.
        """
        return sum(len(factory.clients) for factory in self._factories)

    def countAccepted(self) -> int:
        """
        @return: how many connections the ports have accepted that are still open.
        """
        return self._admission.count

    async def leave(self) -> None:
        """
        Close the ports; the connections of clients stay.
        """
        self._admission.leave()
        for port in self._open:
            await _closed(port)
        if self._checks is not None and self._checks.running:
            self._checks.stop()

    async def finish(self, grace: Grace) -> None:
        """
        Serve the connected clients until they have left, or the time is over.
        """
        connected = max(self._admission.count, self.count())
        if not connected:
            return
        self._events.emit(FinishingClients(connected, grace.timeout))
        pause: Deferred[None] = deferLater(self._reactor, LEAVE_PAUSE)
        pause.addErrback(lambda failure: failure.trap(CancelledError))
        if connected > self.count():
            # During its handshake a client belongs to no factory yet.
            await firstOf(pause, grace.now)
        else:
            await firstOf(self._whenEmpty(), pause, grace.now)
        pause.cancel()
        for factory in self._factories:
            factory.leave()
        await firstOf(self._whenEmpty(), grace.now)
        if self.count():
            self._events.emit(ClientsAbandoned(self.count()))

    def stopHandshakes(self) -> None:
        """
        Cut the connections that are in a TLS handshake, or before it.
        """
        self._starts.abort()
        self._handshakes.stop()

    def abort(self) -> None:
        """
        Cut every connection that is left.
        """
        self._proxied.abort()
        for factory in self._factories:
            factory.abort()

    def _whenEmpty(self) -> Deferred[Any]:
        return DeferredList([each.whenEmpty() for each in self._factories])


class NodePorts:
    """
    The ports at which nodes dial in.
    """

    def __init__(
        self,
        reactor: Any,
        settings: EdgeSettings,
        slots: SlotFactory,
        tls: NodeTLS | None,
        events: Events,
    ) -> None:
        """
        @param tls: nodes dial in over TLS, except on Unix sockets.
        """
        self._reactor = reactor
        self._settings = settings
        self._slots = slots
        self._tls = tls
        self._handshakes = Handshakes(reactor)
        self._events = events
        self._socket = NodeSocket(settings.state_dir)
        self._private: IListeningPort | None = None
        self._open: list[IListeningPort] = []

    @property
    def addresses(self) -> list[Any]:
        """
        Where nodes dial in: one address for each port, in their order.
        """
        return [port.getHost() for port in self._open]

    @property
    def shown(self) -> list[str]:
        """
        The ports as people know them.
        """
        return [shown("tcp", port.getHost()) for port in self._open]

    def check(self) -> None:
        """
        See L{ClientPorts.check}.
        """
        for endpoint in self._settings.node_ports:
            checkOpenable(private(endpoint), "--node-port")

    def open(self) -> None:
        """
        Open all ports.

        @raise UsageError: one of them can't be opened, or other machines could reach it
            without TLS.
        """
        if self._settings.private_node_port:
            self._private = self._socket.open(self._reactor, self._slots)
            self._open.append(self._private)
            self._events.emit(NodesListening(shown("tcp", self._private.getHost())))
        for endpoint in self._settings.node_ports:
            self._listen(private(endpoint))
        if self._open and not self._mayAdmit():
            self._events.emit(NoNodeAdmitted())

    def _listen(self, endpoint: str) -> None:
        local = endpoint.startswith("unix:") or "domain=UNIX" in endpoint
        tls = None if local else self._tls
        factory = self._slots if tls is None else self._secured(tls)
        port = listen(self._reactor, endpoint, factory, option="--node-port")
        self._open.append(port)
        self._events.emit(NodesListening(shown("tcp" if tls is None else "tls", port.getHost())))
        if tls is None and not self._settings.insecure_node_port:
            checkPrivate(endpoint, port.getHost())

    def _secured(self, tls: NodeTLS) -> IProtocolFactory:
        return encrypted(
            self._slots,
            tls,
            self._handshakes,
            clock=self._reactor,
            failed=self._slots.shakenOff,
        )

    def _mayAdmit(self) -> bool:
        settings = self._settings
        return bool(
            settings.token_file
            or (settings.node_tls and settings.node_tls.ca)
            or any(spawn.spawning.spawner.dials_back for spawn in settings.spawns)
        )

    def dialEndpoint(self, spawner: ISpawner) -> str:
        """
        Where a node that a spawner starts dials in, from this machine, as a Twisted client
        endpoint; C{""} if there is no port.
        """
        if self._private is not None and ILocal.providedBy(spawner):
            return edgeEndpoint([self._private.getHost()])
        addresses = [port.getHost() for port in self._open if port is not self._private]
        if self._tls is not None:
            # Over TLS it would need more than its token.
            addresses.sort(key=lambda address: not isinstance(address, UNIXAddress))
        return edgeEndpoint(addresses)

    async def stop(self) -> None:
        """
        Close the ports; the slots stay open.
        """
        for port in self._open:
            await _closed(port)
        self._socket.remove()

    def abort(self) -> None:
        """
        Cut every slot that is left.
        """
        self._handshakes.stop()
        self._slots.stop()


async def _closed(port: IListeningPort) -> None:
    result: Any = port.stopListening()
    if isinstance(result, Deferred):
        await result
