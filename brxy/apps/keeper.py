"""
The connection of a slot to its app: dialled, kept, and let go of.
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
from brxy.transport.splice import MovableStream
from brxy.uptake.backends import Ends

__all__ = ["CONNECT_TIMEOUT", "Keeper", "clientEndpoint"]

# Seconds.  An app on the same machine accepts at once, unless it is in trouble.
CONNECT_TIMEOUT = 5.0


class Keeper:
    """
    Has at most one connection to an app, and keeps it from one exchange to the next.

    @param address: where the app accepts connections.
    @param keep_alive: shared by all that connect to the app.
    """

    _log = Logger()

    def __init__(self, shared: Shared, address: Address, keep_alive: KeepAliveGuess) -> None:
        self._shared = shared
        self._address = address
        self._keep_alive = keep_alive
        self._connection: AppConnection | None = None
        self._dialing: Deferred[Any] | None = None
        self._outbox: list[bytes] = []

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

    @property
    def ends(self) -> Ends | None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        connection = self._connection
        return None if connection is None else connection.ends()

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
        raise NotImplementedError

    def _unreachable(self, failure: Failure) -> None:
        raise NotImplementedError

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
        raise NotImplementedError

    def appEnded(self, connection: AppConnection) -> None:
        """
        The app half-closed.
        """
        raise NotImplementedError

    def appClosed(self, connection: AppConnection, reason: str) -> None:
        """
        The connection to the app is gone.
        """
        raise NotImplementedError

    def appFull(self, connection: AppConnection) -> None:
        """
        The connection to the app can take no more for now.
        """
        raise NotImplementedError

    def appDrained(self, connection: AppConnection) -> None:
        """
        The connection to the app can take more again.
        """
        raise NotImplementedError


def clientEndpoint(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    @return: what dials an app at this address.
    """
    if address.host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    if ":" in address.host:
        return TCP6ClientEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    return HostnameEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
