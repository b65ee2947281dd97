"""
A slot's connection to the app, kept from one exchange to the next.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.apps.connection import AppConnection, AppFactory, KeepAliveGuess
from brxy.interfaces import Address
from brxy.transport.connection import Shared
from brxy.transport.relay import Relay
from brxy.transport.splice import MovableStream

__all__ = ["Backend", "clientEndpoint"]

# Seconds.  An app on the same machine accepts at once, unless it is in trouble.
CONNECT_TIMEOUT = 5.0


class Backend:
    """
    An app as an end of exchanges, one after another.

    @param address: where the app accepts connections.
    @param keep_alive: shared by all backends of the app.
    @ivar congested: the connection to the app can take no more bytes for now.
    """

    _log = Logger()

    def __init__(self, shared: Shared, address: Address, keep_alive: KeepAliveGuess) -> None:
        self._shared = shared
        self._address = address
        self._keep_alive = keep_alive
        self._connection: AppConnection | None = None
        self._dialing: Deferred[Any] | None = None
        self._outbox: list[bytes] = []
        self._end_wanted = False
        self._paused = False
        self._relay: Relay | None = None

    @property
    def congested(self) -> bool:
        """
        See L{brxy.transport.relay.End}.
        """
        return self._connection is not None and self._connection.congested

    @property
    def stream(self) -> MovableStream | None:
        """
        See L{brxy.transport.relay.End}.
        """
        return None if self._connection is None else self._connection.stream

    def begin(self, relay: Relay, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.  C{relay.accepted()} is called when the app can be written
        to, maybe before this returns; or C{relay.refused()} if it can't be reached.

        @param once: the request must not be sent twice: use no kept connection that the
            app might be closing.
        @param client: the client's address and the one that it connected to, see
            L{brxy.wire.proxyheader.endpointsFromText}.
        @param first: the first bytes for the app.
        """
        self._relay = relay
        self._end_wanted = self._paused = False
        connection = self._connection
        if connection is not None:
            if not once or self._keep_alive.isSure(connection):
                connection.exchanges += 1
                if first:
                    connection.write(first)
                relay.accepted()
                return
            self._setAside(connection)
        self._outbox = [first]
        self._dial()

    def _setAside(self, connection: AppConnection) -> None:
        """
        Stop using a connection that the app might be closing.

        When requests that must not be sent twice follow one another closely, no
        connection is ever idle for long enough to prove that the app keeps it open, and
        each request would need a new one.  So one connection is left idle to find out.
        """
        if self._keep_alive.keeps_open or self._keep_alive.trial is not None:
            self._drop()
        else:
            self._connection = None
            connection.tryOut(self._keep_alive)

    def _dial(self) -> None:
        endpoint = clientEndpoint(self._shared.reactor, self._address)
        self._dialing = dialing = endpoint.connect(AppFactory(self._shared, self))
        dialing.addCallbacks(self._connected, self._unreachable)
        dialing.addErrback(lambda failure: self._log.failure("while dialling the app", failure))

    def _connected(self, connection: AppConnection) -> None:
        self._dialing = None
        self._connection = connection
        connection.exchanges = 1
        relay = self._relay
        assert relay is not None, "a connection attempt outlived its exchange"
        first = b"".join(self._outbox)
        self._outbox = []
        if first:
            connection.write(first)
        if self._paused:
            connection.pause()
        if self._end_wanted:
            self.end()
        relay.accepted()

    def _unreachable(self, failure: Failure) -> None:
        self._dialing = None
        relay, self._relay = self._relay, None
        if relay is not None:
            # Whatever the reason is: without a connection, no byte reached the app.
            self.refused(relay, failure.getErrorMessage())

    def refused(self, relay: Relay, reason: str) -> None:
        """
        The app could not be reached: no byte of the exchange got there.
        """
        relay.refused(reason)

    def broke(self, relay: Relay, reason: str) -> None:
        """
        The app broke the exchange off.
        """
        relay.aborted(self, reason)

    # As an end of an exchange

    def write(self, data: bytes) -> None:
        """
        See L{brxy.transport.relay.End}.  What is written before the app is connected is
        kept: the edge sends no more than it has a copy of until the app has accepted.
        """
        if self._connection is not None:
            self._connection.write(data)
        else:
            self._outbox.append(data)

    def end(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._end_wanted = True
        if self._connection is not None:
            self._connection.end()

    def reset(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._letGo()

    def pause(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._paused = False
        if self._connection is not None:
            self._connection.resume()

    def done(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the connection can serve again.
        """
        self._relay = None
        connection = self._connection
        if connection is None:
            self._abandon()
            return
        open_still = connection.alive and not (connection.read_ended or connection.broken)
        if keep and open_still and not self._end_wanted:
            if self._paused:
                connection.resume()
            connection.idle_since = self._shared.seconds()
            if connection.exchanges > 1:
                self._keep_alive.keeps_open = True
        else:
            self._drop()

    def close(self, reason: str) -> None:
        """
        No more exchanges: let go of the app.  One that runs breaks off.
        """
        relay = self._relay
        self._letGo()
        if relay is not None:
            self.broke(relay, reason)

    def _letGo(self) -> None:
        # A reset tells an app that something broke off, and many log it.
        in_use, self._relay = self._relay is not None, None
        self._abandon()
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if in_use:
            connection.abort()
        else:
            connection.close()

    def _abandon(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None
        self._outbox = []

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # What the connection reports

    def received(self, connection: AppConnection, data: bytes) -> None:
        """
        Bytes from the app.
        """
        if connection is not self._connection:
            return
        if self._relay is None:
            # No request is on: these bytes could be taken for the next response.
            self._letGo()
        else:
            self._relay.data(self, data)

    def appEnded(self, connection: AppConnection) -> None:
        """
        The app half-closed.  In an exchange that is passed on; between two, the
        connection can't be used again.
        """
        if connection is not self._connection:
            connection.close()
        elif self._relay is None:
            self._keep_alive.closed(connection)
            self._letGo()
        else:
            self._relay.ended(self)

    def appClosed(self, connection: AppConnection, reason: str) -> None:
        """
        The connection to the app is gone.
        """
        if connection is self._connection:
            self._connection = None
            if connection.read_ended and self._end_wanted:
                # Both directions ended before: the exchange is over by itself.
                return
            relay, self._relay = self._relay, None
            if relay is not None:
                self.broke(relay, reason)
            else:
                self._keep_alive.closed(connection)

    def appFull(self, connection: AppConnection) -> None:
        """
        The connection to the app can take no more for now.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.full(self)

    def appDrained(self, connection: AppConnection) -> None:
        """
        The connection to the app can take more again.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.drained(self)


def clientEndpoint(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    @return: what dials an app at this address.
    """
    if address.host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    if ":" in address.host:
        return TCP6ClientEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    return HostnameEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
