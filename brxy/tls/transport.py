"""
TLS as a transport: Twisted's, with what that leaves out of TCP's ways to end.
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
    One connection, and what a protocol gets as its transport.

    A close_notify ends what one side sends, as a FIN does, and not what it receives
    (RFC 8446 §6.1): L{loseWriteConnection} sends one, and C{readConnectionLost}
    tells that the peer did.  A FIN without it is a connection that was cut.
    L{loseConnection} does not wait for the peer's, which may never come.  What
    breaks after the handshake is reset, for a peer that does not read would keep
    it for ever.
    """

    _read_ended = False
    _write_ended = False

    def getHandle(self) -> Any:
        """
        The socket below: what is set on it or asked of it is TCP's.
        """
        return cast(Any, self.transport).getHandle()

    # From the peer

    def dataReceived(self, data: bytes) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        # Behind its end the peer has nothing to say, and nobody would take it.
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
        # Twisted's own transports may be lost as soon as they are asked to close.
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
        The transport below has nothing more.  See L{IHalfCloseableProtocol}.
        """
        self._tlsConnection.bio_shutdown()
        if self._handshakeDone:
            self._flushReceiveBIO()
        else:
            self._checkHandshakeStatus()

    def writeConnectionLost(self) -> None:
        """
        All that L{loseWriteConnection} had to send is sent.  See
        L{IHalfCloseableProtocol}.
        """
        protocol = IHalfCloseableProtocol(self.wrappedProtocol, None)
        if protocol is not None:
            protocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{twisted.internet.protocol.Protocol}.
        """
        # Whoever closes does not miss the peer's end.
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
        # All records in one write to the transport; Twisted's takes one for each.
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
        # Twisted's asks for this once there is nothing more to send.
        if not self._write_ended:
            self._sayEnd()
        cast(Any, self.transport).loseConnection()

    def abortConnection(self) -> None:
        """
        See L{twisted.internet.interfaces.ITCPTransport}.  The peer is told nothing:
        a close_notify would have been a proper end.
        """
        self._aborted = self.disconnecting = self._write_ended = True
        cast(Any, self.transport).abortConnection()


class TLSFactory(TLSMemoryBIOFactory):
    """
    Puts TLS below the protocols of another factory.
    """

    protocol = TLSTransport
