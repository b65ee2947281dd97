"""
Moving the bytes that come in on one connection to another, without reading them.
"""

from __future__ import annotations

import socket

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from brxy.transport.poller import Poller
from brxy.transport.sending import Sending
from brxy.transport.splice import Move

__all__ = ["LONG", "LOST", "SHORT", "Moving"]

# The first read of a turn (bytes).  Most messages are short, so memory for a long one is
# not allocated before it is known that one comes.
SHORT = 16 * 1024
# The second read of a turn (bytes), before other connections are served.
LONG = 256 * 1024
# Moves of bytes between two connections in one turn.
_MOVES = 4

LOST = Failure(ConnectionLost())


class Moving(Sending):
    """
    The part of L{brxy.transport.stream.EpollTransport} that moves what comes in to
    another connection: see L{brxy.transport.splice}.
    """

    __slots__ = ("_move", "_reading", "_recv", "_unread")

    def __init__(self, poller: Poller, sock: socket.socket, peer: IAddress) -> None:
        """
        @param sock: non-blocking; of a stream type.
        """
        super().__init__(poller, sock, peer)
        self._recv = sock.recv
        # Reading is not paused; bytes may be waiting.
        self._reading = False
        self._unread = False
        # Where bytes that come in are moved unread.
        self._move: Move | None = None

    # What the part that reads does

    def _readAgain(self) -> None:
        """
        Come back for bytes that may be waiting.
        """
        raise NotImplementedError

    def _readEnd(self) -> None:
        """
        The peer has half-closed.
        """
        raise NotImplementedError

    # Moving

    def moveTo(self, move: Move) -> None:
        """
        Move what comes in to another connection, unread, from now on.
        """
        self._move = move
        move.target.moveFrom(self)
        self._unread = True
        if self._reading:
            self._readAgain()

    def stopMoving(self) -> None:
        """
        Deliver what comes in to the protocol again.  Does nothing if it is already.
        """
        move, self._move = self._move, None
        if move is not None:
            move.target.moveFrom(None)
            if self._reading and self._unread:
                self._readAgain()

    def _moveMore(self, move: Move) -> None:
        """
        Move as much as one turn allows.
        """
        for _ in range(_MOVES):
            if not self._reading or move.target.pending():
                self._unread = True
                return
            if not self._moveOnce(move):
                return
        self._readAgain()

    def moveOn(self) -> None:
        """
        See L{brxy.transport.splice.Source}.
        """
        if self._broken:
            self._readAgain()
        elif self._move is not None:
            try:
                self._moveMore(self._move)
            except Exception:
                # The failure is ours, not the caller's.
                self.failed(Failure())

    def _moveOnce(self, move: Move) -> bool:
        """
        @return: whether to move more in this turn.
        """
        try:
            count = self._moveSome(move)
        except BlockingIOError:
            return False
        except OSError:
            self._lose(LOST)
            return False
        if not count:
            self._readEnd()
            return False
        move.count -= count
        if move.goesOn(count):
            return True
        self.stopMoving()
        self._readAgain()
        move.whenMoved()
        return False

    def _moveSome(self, move: Move) -> int:
        """
        @return: how many bytes were moved; 0 at the end.
        @raise OSError: as C{recv}.
        """
        pipes = self._poller.pipes
        try:
            pipe = pipes.take()
        except OSError:
            # Out of descriptors or pipes: copying needs none.
            most = SHORT if self._poller.isShort() else LONG
            data = self._recv(min(move.limit(), most))
            if data:
                move.target.write(move.head(len(data)) + data)
            return len(data)
        try:
            count = pipe.fill(self._socket.fileno(), move.limit())
        except OSError:
            pipes.give(pipe)
            raise
        if count:
            move.target.takePipe(pipe, move.head(count))
        else:
            pipes.give(pipe)
        return count
