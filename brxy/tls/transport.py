"""
TLS as a transport: Twisted's, with the half-close and reset of TCP that it lacks.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["TLSFactory", "TLSTransport"]

# What one record holds at most, and what may come to that (RFC 8446 §5.2).
_RECORD = 2**14
_OVERHEAD = 5 + 256


@implementer(IHalfCloseableProtocol)
class TLSTransport(TLSMemoryBIOProtocol):
    """
    One TLS connection, the transport of a protocol.

    A close_notify ends what one side sends, as a FIN does, and not what it receives
    (RFC 8446 §6.1): C{loseWriteConnection} sends one, and C{readConnectionLost} reports
    that of the peer.  A FIN without it is a connection that was cut.  C{loseConnection}
    does not wait for the peer's, which may never come.  A connection that breaks after the
    handshake is reset, because a peer that does not read would keep it for ever.
    """

    _read_ended = False
    _write_ended = False

    def getHandle(self) -> Any:
        """
        Return the socket, whose options are those of TCP.
        """
        return cast(Any, self.transport).getHandle()

    # From the peer

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        # What a peer sends after its close_notify is dropped.
        if not self._read_ended and not self._aborted:
            super().dataReceived(data)

    def _flushReceiveBIO(self) -> None:
        connection = self._tlsConnection
        while not self._lostTLSConnection and not self._read_ended and not self._aborted:
            try:
                data = connection.recv(_RECORD)
            except WantReadError:
                break
            except ZeroReturnError:
                self._read_ended = True
                self._tellEnd()
            except Error:
                self._tlsShutdownFinished(Failure())
            else:
                self.wrappedProtocol.dataReceived(data)
        self._flushSendBIO()

    def _flushSendBIO(self) -> None:
        # Twisted's own transports may be lost as soon as they are closed.
        if self._tlsConnection is not None:
            super()._flushSendBIO()

    def _tellEnd(self) -> None:
        protocol = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if protocol is None:
            self.loseConnection()
        else:
            protocol.readConnectionLost()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        super()._tlsShutdownFinished(reason)
        if self._handshakeDone:
            self.abortConnection()

    def readConnectionLost(self) -> None:
        """
        The transport below has received all.  See L{IHalfCloseableProtocol}.
        """
        self._tlsConnection.bio_shutdown()
        if self._handshakeDone:
            self._flushReceiveBIO()
        else:
            self._checkHandshakeStatus()

    def writeConnectionLost(self) -> None:
        """
        All that C{loseWriteConnection} had to send was sent.  See
        L{IHalfCloseableProtocol}.
        """
        protocol = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        # For a side that closes, a missing close_notify of the peer is no error.
        self._lostTLSConnection = self._lostTLSConnection or bool(self.disconnecting)
        super().connectionLost(reason)

    # To the peer

    def write(self, data: bytes) -> None:
        """
        See L{twisted.internet.interfaces.ITransport}.
        """
        if self._write_ended:
            return
        if not self._handshakeDone or self._appSendBuffer:
            super().write(data)
        elif not self._lostTLSConnection:
            self._encrypt(data)

    def _encrypt(self, data: bytes) -> None:
        # All records go into one write to the transport; Twisted makes one for each.
        connection = self._tlsConnection
        try:
            for start in range(0, len(data), _RECORD):
                connection.send(data[start : start + _RECORD])
        except Error:
            self._tlsShutdownFinished(Failure())
        else:
            with suppress(WantReadError):
                size = len(data) + _OVERHEAD * (2 + len(data) // _RECORD)
                cast(Any, self.transport).write(connection.bio_read(size))

    def loseWriteConnection(self) -> None:
        """
        See L{twisted.internet.interfaces.ITCPTransport}.
        """
        if self.connected and not self._write_ended:
            self._sayEnd()
            cast(Any, self.transport).loseWriteConnection()

    def _sayEnd(self) -> None:
        self._write_ended = True
        with suppress(Error):
            self._tlsConnection.shutdown()
        self._flushSendBIO()

    def _shutdownTLS(self) -> None:
        # Twisted calls this once there is nothing more to send.
        if not self._write_ended:
            self._sayEnd()
        cast(Any, self.transport).loseConnection()

    def abortConnection(self) -> None:
        """
        See L{twisted.internet.interfaces.ITCPTransport}.  No close_notify is sent: it
        would report a proper end.
        """
        self._aborted = self.disconnecting = self._write_ended = True
        cast(Any, self.transport).abortConnection()


class TLSFactory(TLSMemoryBIOFactory):
    """
    Wraps the protocols of another factory in TLS.
    """

    protocol = TLSTransport
