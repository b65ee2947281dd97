"""
The channel between two edges: messages with descriptors, over a Unix socket.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall

from brxy.reactor.reader import Reader

__all__ = ["Channel", "Closed", "Message"]

# Bytes of a message without its body, and descriptors with it.
_MOST, _FILES = 65536, 240

# The kernel has no room for a message: seconds until it is tried again.
_PAUSE = 0.01

_FULL = (errno.EAGAIN, errno.ENOBUFS, errno.ETOOMANYREFS, errno.ENOMEM, errno.EMFILE)


class Closed(Exception):
    """
    The other edge has closed the channel, or sent nothing in time.
    """


@frozen
class Message:
    """
    One message.

    @ivar kind: what it is about.
    @ivar fields: its other values.
    @ivar files: descriptors, which belong to the receiver.
    @ivar body: bytes, however many.
    """

    kind: str
    fields: dict[str, Any]
    files: Sequence[int] = ()
    body: bytes = b""


class Channel(Reader):
    """
    One end of the channel.

    @param sock: of the type C{SOCK_SEQPACKET}.
    """

    def __init__(self, reactor: Any, sock: socket.socket) -> None:
        super().__init__(reactor)
        sock.setblocking(False)
        self._socket = sock
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._retry: IDelayedCall | None = None
        self._received: Callable[[Message], object] = lambda message: None
        self._lost: Callable[[], object] = lambda: None
        self._reads = False

    def fileno(self) -> int:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        return self._socket.fileno()

    # Sending

    def send(self, kind: str, files: Sequence[int] = (), body: bytes = b"", **fields: Any) -> None:
        """
        Send a message, in its turn.

        @param files: descriptors, which are duplicated: the caller keeps its own.
        """
        duplicates = [os.dup(each) for each in files]
        if body:
            # What a message may have is limited; a file in memory is not.
            memory = os.memfd_create("brxy")
            with os.fdopen(os.dup(memory), "wb") as file:
                file.write(body)
            duplicates.append(memory)
        text = json.dumps({"kind": kind, "body": bool(body), **fields}).encode()
        self._waiting.append((text, duplicates))
        self._flush()

    def _flush(self) -> None:
        while self._waiting and self._retry is None:
            text, files = self._waiting[0]
            try:
                socket.send_fds(self._socket, [text], files, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno in _FULL:
                    self._retry = self._reactor.callLater(_PAUSE, self._goOn)
                    return
                # The other edge is gone, which reading reports.
                self._waiting.popleft()
            else:
                self._waiting.popleft()
            _close(files)

    def _goOn(self) -> None:
        self._retry = None
        self._flush()

    @property
    def idle(self) -> bool:
        """
        The kernel has all that was sent.
        """
        return not self._waiting

    # Receiving

    def receive(self, timeout: float) -> Message:
        """
        Wait for a message, while no reactor runs.

        @raise Closed: none comes.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        message = self._read() if poll.poll(timeout * 1000) else None
        if message is None:
            raise Closed
        return message

    def start(self, received: Callable[[Message], object], lost: Callable[[], object]) -> None:
        """
        From now on have something called with each message, and when the channel is closed.
        """
        self._received, self._lost = received, lost
        if not self._reads:
            self._reads = True
            self._reactor.addReader(self)

    def doRead(self) -> None:
        """
        See L{twisted.internet.interfaces.IReadDescriptor}.
        """
        try:
            message = self._read()
        except BlockingIOError:
            return
        if message is None:
            self.close()
            self._lost()
        else:
            self._received(message)

    def _read(self) -> Message | None:
        """
        @return: L{None} at the end.
        @raise BlockingIOError: nothing has come.
        """
        try:
            text, files, _, _ = socket.recv_fds(
                self._socket, _MOST, _FILES + 1, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            raise
        except OSError:
            return None
        if not text:
            return None
        fields = json.loads(text)
        body = b""
        if fields.pop("body"):
            with os.fdopen(files.pop(), "rb") as file:
                file.seek(0)
                body = file.read()
        return Message(fields.pop("kind"), fields, files, body)

    # The end

    def pause(self) -> None:
        """
        Read nothing more: another process goes on with the channel.
        """
        if self._reads:
            self._reads = False
            self._reactor.removeReader(self)

    def close(self) -> None:
        """
        Close this end.
        """
        self.pause()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for _, files in self._waiting:
            _close(files)
        self._waiting.clear()
        with suppress(OSError):
            self._socket.close()


def _close(files: Sequence[int]) -> None:
    for each in files:
        with suppress(OSError):
            os.close(each)
