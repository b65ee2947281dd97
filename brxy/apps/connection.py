"""
One connection to an app, and what is known of how the app treats such.
"""

from __future__ import annotations

import socket
from typing import Protocol

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from brxy.transport.connection import Connection, Shared

__all__ = ["AppConnection", "AppFactory", "KeepAliveGuess"]


class KeepAliveGuess:
    """
    What is known of how an app treats its connections.

    @ivar keeps_open: it leaves them open after a response.
    @ivar trial: a connection that nobody uses, to find that out.
    """

    keeps_open = False
    trial: AppConnection | None = None


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
        self._tried: KeepAliveGuess | None = None

    def tryOut(self, habits: KeepAliveGuess) -> None:
        """
        See whether the app leaves this connection open; it is of no other use.
        """
        self._tried = habits
        habits.trial = self
        self.shared.trials.start(self)

    def survived(self) -> None:
        """
        The app has left it open for L{IDLE_PROOF}: if we had no time to look
        meanwhile, its end may have come unseen.
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
        self._endTrial()
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

    def isQuiet(self) -> bool:
        """
        Is it open, as far as can be told, with nothing to be read?
        """
        try:
            self._tcp.getHandle().recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # An end, or bytes that nobody asked for.
        return False


class AppFactory(Factory):
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
