"""
One connection to an app, and a guess whether the app keeps connections open.
"""

from __future__ import annotations

import socket
from typing import Protocol

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.transport.connection import IDLE_PROOF, Connection, Shared
from brxy.transport.stream import EpollTransport
from brxy.uptake.backends import Ends

__all__ = ["AppConnection", "AppFactory", "KeepAliveGuess"]

# A request that must not be sent twice is sent on a kept connection only if that was idle
# for at most this (seconds): apps close idle connections, some after 1 s.
IDLE_SURE = 0.5


class KeepAliveGuess:
    """
    A guess whether an app keeps its connections open after a response.

    @ivar keeps_open: it does, as far as is known.
    @ivar trial: an unused connection that is left open to find out.
    """

    keeps_open = False
    trial: AppConnection | None = None

    def isSure(self, connection: AppConnection) -> bool:
        """
        @return: whether the app will surely read what is sent on an idle connection now.
        """
        idle = connection.idleFor()
        if idle > IDLE_SURE or not (self.keeps_open or idle >= IDLE_PROOF):
            return False
        quiet = connection.isQuiet()
        if quiet and idle >= IDLE_PROOF:
            self.keeps_open = True
        return quiet

    def closed(self, connection: AppConnection) -> None:
        """
        The app closed an idle connection.
        """
        if connection.idleFor() < IDLE_SURE:
            self.keeps_open = False


class AppConnection(Connection):
    """
    One connection to an app.

    @ivar exchanges: the number of exchanges that it has carried.
    @ivar idle_since: when the last of them was over, in the clock's seconds.
    @ivar broken: the app has reset the connection, although there may be bytes to read.
    """

    exchanges = 0
    idle_since = 0.0
    broken = False

    def __init__(self, shared: Shared, backend: _Owner) -> None:
        super().__init__(shared)
        self._backend = backend
        self._tried: KeepAliveGuess | None = None

    def connectionMade(self) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        super().connectionMade()
        if type(self.transport) is EpollTransport:
            # An app may reset the connection while a request is sent to it, and what it has
            # answered still goes to the client.
            self.transport.patient = True

    def hungUp(self, broken: bool) -> None:
        """
        The app has ended or reset the connection while the client can take no more.  What the app
        has sent before is read first, at the client's pace.
        """
        self.broken = broken

    def changeOwner(self, backend: _Owner) -> None:
        """
        It belongs to another slot from now on.
        """
        self._backend = backend

    def ends(self) -> Ends | None:
        """
        @return: the address of the app's end, and of ours; L{None} if this is no TCP
            connection.
        """
        ours, app = self._tcp.getHost(), self._tcp.getPeer()
        if not self.isTCP():
            return None
        return (app.host, app.port), (ours.host, ours.port)

    def idleFor(self) -> float:
        """
        @return: the seconds since the last exchange was over.
        """
        return self.shared.seconds() - self.idle_since

    def tryOut(self, keep_alive: KeepAliveGuess) -> None:
        """
        Find out whether the app leaves this connection open.  It is not used otherwise.
        """
        self._tried = keep_alive
        keep_alive.trial = self
        self.shared.trials.start(self)

    def survived(self) -> None:
        """
        The app has left it open for L{IDLE_PROOF}, as far as is known: its FIN may have
        come while this process was too busy to read it.
        """
        open_still = self.alive and not self.read_ended and self.isQuiet()
        if self._tried is not None and open_still:
            self._tried.keeps_open = True
        self._endTrial()
        self.close()

    def _endTrial(self) -> None:
        if self._tried is not None:
            self._tried.trial = None
            self._tried = None
            self.shared.trials.stop(self)

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

    def closed(self, reason: Failure) -> None:
        """
        The connection is gone.
        """
        self._endTrial()
        self._backend.appClosed(self, reason.getErrorMessage())

    def filled(self) -> None:
        """
        The connection can take no more for now.
        """
        self._backend.appFull(self)

    def emptied(self) -> None:
        """
        The connection can take more again.
        """
        self._backend.appDrained(self)

    def isQuiet(self) -> bool:
        """
        @return: whether it is open, as far as is known, and nothing waits to be read.
        """
        try:
            self._tcp.getHandle().recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # An end, or bytes that belong to no request.
        return False


class AppFactory(Factory):
    """
    Makes one connection to an app.
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
    What an L{AppConnection} needs of its owner.
    """

    def received(self, connection: AppConnection, data: bytes) -> None: ...

    def appEnded(self, connection: AppConnection) -> None: ...

    def appClosed(self, connection: AppConnection, reason: str) -> None: ...

    def appFull(self, connection: AppConnection) -> None: ...

    def appDrained(self, connection: AppConnection) -> None: ...
