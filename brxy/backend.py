"""
A slot's connection to the app, kept from one exchange to the next.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.connection import Connection, Shared
from brxy.interfaces import Address, IExchangeEnd
from brxy.relay import Relay

__all__ = ["AppConnection", "Backend", "clientEndpoint"]

# An app on the same machine accepts at once, or is in trouble.
CONNECT_TIMEOUT = 5.0

# A request that must not be sent twice goes on a kept connection only if that
# was idle for no longer than this: apps close idle connections, some after 1 s.
IDLE_SURE = 0.5

# ... and if the app is known to keep connections open: this one has served
# twice, or was still open so long after its first response.
IDLE_PROOF = 0.05


class AppConnection(Connection):
    """
    One connection to the app.

    @ivar exchanges: how many it has carried.
    @ivar idle_since: when the last of them was over, in the clock's seconds.
    """

    exchanges = 0
    idle_since = 0.0

    def __init__(self, shared: Shared, backend: _Owner) -> None:
        super().__init__(shared)
        self._backend = backend

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        if self.alive:
            self._backend.received(self, data)

    def peerEnded(self) -> None:
        """
        The app half-closed.
        """
        self._backend.appEnded(self)

    def hungUp(self, broken: bool) -> None:
        """
        The app reset the connection while the client could take no more.
        What it sent before is of no use: the exchange can't be whole.
        """
        if broken:
            self.abort()

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._backend.appClosed(self, reason.getErrorMessage())

    def filled(self) -> None:
        """
        The app takes no more for now.
        """
        self._backend.appFull(self)

    def emptied(self) -> None:
        """
        The app takes more again.
        """
        self._backend.appDrained(self)

    def isSure(self, now: float) -> bool:
        """
        Will the app surely read what is sent now?
        """
        idle = now - self.idle_since
        if idle > IDLE_SURE or (self.exchanges < 2 and idle < IDLE_PROOF):
            return False
        try:
            self._tcp.getHandle().recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # An end, or bytes that nobody asked for.
        return False


class _AppFactory(Factory):
    """
    Makes one connection to the app.
    """

    noisy = False

    def __init__(self, shared: Shared, backend: _Owner) -> None:
        self._shared = shared
        self._backend = backend

    def buildProtocol(self, addr: IAddress | None) -> AppConnection:
        """
        See L{Factory}.
        """
        return AppConnection(self._shared, self._backend)


class _Owner(Protocol):
    """
    Whom an L{AppConnection} tells what happens to it.
    """

    def received(self, connection: AppConnection, data: bytes) -> None: ...

    def appEnded(self, connection: AppConnection) -> None: ...

    def appClosed(self, connection: AppConnection, reason: str) -> None: ...

    def appFull(self, connection: AppConnection) -> None: ...

    def appDrained(self, connection: AppConnection) -> None: ...


@implementer(IExchangeEnd)
class Backend:
    """
    The app as an end of exchanges, one after another.

    @param address: where the app accepts connections.
    @ivar congested: the app takes no more bytes for now.
    """

    _log = Logger()

    def __init__(self, shared: Shared, address: Address) -> None:
        self._shared = shared
        self._address = address
        self._connection: AppConnection | None = None
        self._dialing: Deferred[Any] | None = None
        self._outbox: list[bytes] = []
        self._end_wanted = False
        self._paused = False
        self._relay: Relay | None = None

    @property
    def congested(self) -> bool:
        """
        See L{brxy.relay.End}.
        """
        return self._connection is not None and self._connection.congested

    def begin(self, relay: Relay, once: bool, first: bytes) -> None:
        """
        Begin an exchange.  C{relay.accepted()} is called once the app can be
        written to, maybe before this returns, or C{relay.refused()}.

        @param once: the request must not be sent twice: use no kept
            connection that the app might be closing.
        @param first: what goes to the app before anything that is written
            later.
        """
        self._relay = relay
        self._end_wanted = self._paused = False
        connection = self._connection
        if connection is not None:
            if not once or connection.isSure(self._shared.seconds()):
                connection.exchanges += 1
                if first:
                    connection.write(first)
                relay.accepted()
                return
            self._drop()
        self._outbox = [first]
        self._dial()

    def _dial(self) -> None:
        endpoint = clientEndpoint(self._shared.reactor, self._address)
        self._dialing = dialing = endpoint.connect(_AppFactory(self._shared, self))
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
            # For whatever reason: without a connection no byte got there.
            self.refused(relay, failure.getErrorMessage())

    def refused(self, relay: Relay, reason: str) -> None:
        """
        The app could not be reached: no byte got there.
        """
        relay.refused(reason)

    def broke(self, relay: Relay, reason: str) -> None:
        """
        The app broke the exchange off.
        """
        relay.aborted(self, reason)

    # IExchangeEnd

    def write(self, data: bytes) -> None:
        """
        See L{IExchangeEnd}.  What comes before the app is connected is kept;
        the edge sends no more than its copy until the app has accepted.
        """
        if self._connection is not None:
            self._connection.write(data)
        else:
            self._outbox.append(data)

    def end(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._end_wanted = True
        if self._connection is not None:
            self._connection.end()

    def reset(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._letGo()

    def pause(self) -> None:
        """
        See L{IExchangeEnd}.
        """
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """
        See L{IExchangeEnd}.
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
        if keep and connection.alive and not connection.read_ended and not self._end_wanted:
            if self._paused:
                connection.resume()
            connection.idle_since = self._shared.seconds()
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
        self._relay = None
        self._abandon()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _abandon(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None
        self._outbox = []

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # What the connection tells

    def received(self, connection: AppConnection, data: bytes) -> None:
        """
        Bytes from the app.
        """
        if connection is not self._connection:
            return
        if self._relay is None:
            # Nobody asked for anything: what follows could not be told from
            # the next response.
            self._letGo()
        else:
            self._relay.data(self, data)

    def appEnded(self, connection: AppConnection) -> None:
        """
        The app half-closed: in an exchange that is passed on, between two the
        connection is of no more use.
        """
        if connection is not self._connection:
            connection.close()
        elif self._relay is None:
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

    def appFull(self, connection: AppConnection) -> None:
        """
        The app takes no more for now.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.full(self)

    def appDrained(self, connection: AppConnection) -> None:
        """
        The app takes more again.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.drained(self)


def clientEndpoint(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    How an app at this address is dialled.
    """
    if address.host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    return HostnameEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
