"""
Ports that accept connections with our own transport, and at most as many as a gate allows.
"""

from __future__ import annotations

import math
import select
import socket
import typing
from typing import Any, cast

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.errors import EXHAUSTED
from brxy.transport.poller import Poller
from brxy.transport.socketend import addressOf
from brxy.transport.stream import EVERYTHING, EpollTransport

__all__ = ["Gate", "TCPPort", "UNIXPort", "serve", "watch"]

_log = Logger()

# At most this many connections are accepted at once (0.6 ms); then those that are accepted
# already are served.
_MOST_ACCEPTS = 8

# Out of descriptors or memory: connections wait in the queue, and the port tries again
# after this many seconds.
_EXHAUSTED_PAUSE = 0.25

# That is logged again only after it did not happen for this long (seconds).
_QUIET = 60.0


class Gate(typing.Protocol):
    """
    Limits how many connections a port accepts.
    """

    def room(self) -> int:
        """
        @return: how many more may be accepted now.  Called when a connection waits.
        """

    def connectionEntered(self) -> None:
        """
        A connection was accepted.
        """

    def connectionLeft(self) -> None:
        """
        An accepted connection is gone.
        """


def watch(port: Any, gate: Gate) -> None:
    """
    Have a port accept at most as many connections as a gate allows, and report each to
    the gate.

    @param port: a L{TCPPort} or one of Twisted's own.
    """
    if isinstance(port, TCPPort):
        port.gate = gate
    elif isinstance(port, tcp.Port):
        _watchTwisted(port, gate)


def _watchTwisted(port: Any, gate: Gate) -> None:
    class Counted(port.transport):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            gate.connectionEntered()

        def connectionLost(self, reason: Failure) -> None:
            super().connectionLost(reason)
            gate.connectionLeft()

    accept = port.doRead

    def doRead() -> None:
        room = gate.room()
        if room > 0:
            # Twisted accepts at most this many in one turn.
            port.numberAccepts = min(port.numberAccepts, room)
            accept()

    port.transport = Counted
    port.doRead = doRead


class TCPPort(tcp.Port):
    """
    A port of Twisted's that a L{Poller} serves.  Only accepting connections is done here;
    Twisted does the rest, with its log messages and errors.

    @ivar gate: limits how many connections are accepted, if there is a limit.
    @ivar handed_on: another process accepts on the same socket, which must outlive this port.
    """

    gate: Gate | None = None
    handed_on = False
    _accepts = 1
    _open = False
    _exhausted_at = -math.inf

    def __init__(self, poller: Poller, *arguments: Any) -> None:
        self._poller = poller
        super().__init__(*arguments)

    def startReading(self) -> None:
        """
        Accept connections.
        """
        self._open = True
        self._poller.add(self.socket.fileno(), self, select.EPOLLIN)

    def handOn(self) -> None:
        """
        Another process accepts on the same socket: close it here without shutting it down.
        """
        self.handed_on = True
        # A private name of Twisted's; there is no public one.
        self._shouldShutdown = False

    def stopReading(self) -> None:
        """
        Accept no more.
        """
        self._open = False
        if self.connected:
            self._poller.remove(self.socket.fileno())

    def settle(self) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """

    def happened(self, events: int) -> None:
        """
        Accept waiting connections: more at once if there were many the last time.
        """
        most = self._accepts
        if self.gate is not None:
            most = min(most, self.gate.room())
        accepted = 0
        while accepted < most and self._accept():
            accepted += 1
        # The poller reports again as long as connections wait.
        crowd = accepted == self._accepts
        self._accepts = min(2 * accepted, _MOST_ACCEPTS) if crowd else max(1, accepted)

    def _accept(self) -> bool:
        """
        @return: whether a connection was waiting.
        """
        try:
            sock, name = self.socket.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            # Any other error is that of one connection, which is gone now.
            return error.errno not in EXHAUSTED or self._rest(error)
        sock.setblocking(False)
        peer = addressOf(self.addressFamily, name)
        protocol = cast(Any, self.factory).buildProtocol(peer)
        if protocol is None:
            sock.close()
        else:
            transport = EpollTransport(self._poller, sock, peer)
            self._poller.add(sock.fileno(), transport, EVERYTHING)
            if self.gate is None:
                transport.start(protocol)
            else:
                self.gate.connectionEntered()
                transport.start(protocol, self._left)
        return True

    def _left(self, reason: Failure) -> None:
        if self.gate is not None:
            self.gate.connectionLeft()

    def _rest(self, error: OSError) -> bool:
        now = cast(Any, self.reactor).seconds()
        if now > self._exhausted_at + _QUIET:
            _log.warn("can't accept connections for now: {why}", why=error.strerror)
        self._exhausted_at = now
        # Keep the port registered: to register it again could need memory.
        self._poller.again(self.socket.fileno(), 0)
        cast(Any, self.reactor).callLater(_EXHAUSTED_PAUSE, self._goOn)
        return False

    def _goOn(self) -> None:
        if self._open and not self.disconnecting:
            self._poller.again(self.socket.fileno(), select.EPOLLIN)

    def failed(self, failure: Failure) -> None:
        """
        See L{brxy.transport.poller.Served}.
        """
        _log.failure("a factory failed", failure)


class UNIXPort(TCPPort, unix.Port):
    """
    A port on a Unix socket.
    """

    def connectionLost(self, reason: Any) -> None:
        """
        Close the socket, and remove it from its folder.
        """
        if not self.handed_on:
            super().connectionLost(reason)
            return
        if self.lockFile is not None:
            self.lockFile.unlock()
        tcp.Port.connectionLost(self, reason)


def serve(
    poller: Poller, sock: socket.socket, protocol: Any, peer: IAddress, gate: Gate | None
) -> None:
    """
    Serve a connection that another process has accepted.
    """
    sock.setblocking(False)
    transport = EpollTransport(poller, sock, peer)
    poller.add(sock.fileno(), transport, EVERYTHING)
    if gate is None:
        transport.start(protocol)
    else:
        gate.connectionEntered()
        transport.start(protocol, lambda _: gate.connectionLeft())
