"""
The server of the admin API: what all its connections share.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from brxy.edge.admin.connection import AdminConnection
from brxy.edge.admin.door import Door
from brxy.edge.admin.table import Endpoint, Table
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Shared

__all__ = ["AdminFactory", "AdminServer"]

# Connections at once.  Each page or command that follows events has one.
MAX_CONNECTIONS = 100

# Seconds for a whole request, from the last response on.
REQUEST_TIMEOUT = 30.0

# Seconds in which a client must take what was written.
READ_TIMEOUT = 30.0


class AdminServer:
    """
    The handlers, and the connections of all admin ports.

    @ivar table: the handlers.
    @ivar leaving: the edge is stopping: no connection is kept.
    @ivar requests: the connections that have to send a whole request.
    @ivar readers: the connections that have to take what was written.
    """

    def __init__(self, shared: Shared, endpoints: Iterable[Endpoint]) -> None:
        self.shared = shared
        self.table = Table(endpoints)
        self.leaving = False
        self.requests: Deadlines[Any] = Deadlines(
            shared.reactor, REQUEST_TIMEOUT, lambda connection: connection.tooSlow()
        )
        self.readers: Deadlines[Any] = Deadlines(
            shared.reactor, READ_TIMEOUT, lambda connection: connection.abort()
        )
        self._connections: set[AdminConnection] = set()

    @property
    def full(self) -> bool:
        """
        There are as many connections as may be.
        """
        return len(self._connections) >= MAX_CONNECTIONS

    def joined(self, connection: AdminConnection) -> None:
        """
        A client has connected.
        """
        self._connections.add(connection)

    def left(self, connection: AdminConnection) -> None:
        """
        A connection is gone.
        """
        self._connections.discard(connection)

    def leave(self) -> None:
        """
        The edge is stopping: end what is under way.
        """
        self.leaving = True
        for connection in list(self._connections):
            connection.leave()

    def abort(self) -> None:
        """
        Cut every connection that is left.
        """
        for connection in list(self._connections):
            connection.abort()
        self.requests.stopAll()
        self.readers.stopAll()


class AdminFactory(Factory):
    """
    Makes the connections of one admin port.
    """

    noisy = False

    def __init__(self, server: AdminServer, door: Door) -> None:
        self._server = server
        self._door = door

    def buildProtocol(self, addr: IAddress | None) -> AdminConnection:
        """
        See L{twisted.internet.protocol.Factory}.
        """
        return AdminConnection(self._server, self._door)
