"""
The ports of an edge for clients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.task import LoopingCall, deferLater

from brxy.edge.clients.admission import Admission
from brxy.edge.clients.certificates import CertificateStore
from brxy.edge.clients.connection import ClientFactory
from brxy.edge.clients.postgres import START_TIMEOUT, PostgresFactory
from brxy.edge.clients.proxied import Proxied
from brxy.edge.endpoints import Sockets, checkOpenable, closed, shown
from brxy.edge.events import Events
from brxy.edge.startstop import (
    ClientsAbandoned,
    FinishingClients,
    Listening,
)
from brxy.errors import UsageError
from brxy.reactor.prelude import Preludes
from brxy.reactor.signals import Grace, firstOf
from brxy.tls.alpn import ALPN
from brxy.tls.handshakes import Handshakes, encrypted
from brxy.transport.accepting import Gate

__all__ = ["ClientPort", "ClientPorts"]

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

    @property
    def name(self) -> str:
        """
        See L{Sockets}.
        """
        return " ".join(filter(None, ("client", self.scheme, self.route, self.endpoint)))


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
        sockets: Sockets,
    ) -> None:
        """
        @param sockets: opens the ports.
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
        self._sockets = sockets

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
            self._open.append(self._listen(each))
            self._report(each, self._open[-1])
        for port in self._open:
            self._admission.watch(port)
        if self._certificates is not None:
            self._checks = LoopingCall(self._certificates.warn)
            self._checks.clock = self._reactor
            self._checks.start(_DAY)

    def change(self, ports: Sequence[ClientPort]) -> None:
        """
        Open other ports, and close those that are not among them; the connections of clients
        stay.

        @raise UsageError: one of them can't be opened: nothing has changed then.
        """
        before = dict(zip(self._named, self._open, strict=True))
        opened: dict[ClientPort, IListeningPort] = {}
        try:
            for each in ports:
                if each not in before:
                    opened[each] = self._listen(each)
        except UsageError:
            for port in opened.values():
                port.stopListening()
            raise
        for each, port in opened.items():
            self._report(each, port)
            self._admission.watch(port)
        for each in before.keys() - {*ports}:
            self._admission.forget(before[each])
            before[each].stopListening()
        self._named = ports
        self._open = [{**before, **opened}[each] for each in ports]
        self._factories = list(
            dict.fromkeys([*self._factories, *(each.factory for each in ports)])
        )

    def _listen(self, port: ClientPort) -> IListeningPort:
        factory = self._proxied.wrap(self._secured(port))
        return self._sockets.listen(
            port.name, self._reactor, port.endpoint, factory, keepalive=self._keepalive
        )

    def _report(self, port: ClientPort, open: IListeningPort) -> None:
        where = shown(port.scheme, open.getHost())
        self._events.emit(Listening(f"{where} for {port.route}" if port.route else where))

    def _secured(self, port: ClientPort) -> IProtocolFactory:
        if port.alpn is None:
            return port.factory
        assert self._certificates is not None, "TLS without certificates"
        creator = self._certificates.creator(port.alpn)
        secured = encrypted(port.factory, creator, self._handshakes, clock=self._reactor)
        return PostgresFactory(self._starts, secured, port.factory) if port.postgres else secured

    @property
    def gate(self) -> Gate:
        """
        What limits the number of clients.
        """
        return self._admission

    @property
    def factories(self) -> Sequence[ClientFactory[Any]]:
        """
        What makes the connections of clients.
        """
        return self._factories

    def factory(self, kind: str) -> ClientFactory[Any] | None:
        """
        What makes those of one kind.
        """
        return next((each for each in self._factories if each.kind == kind), None)

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
        open, self._open = self._open, []
        for port in open:
            await closed(port)
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
