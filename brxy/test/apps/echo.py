"""
An app that starts fast and uses little memory, for tests with WebSockets to many apps.

C{python echo.py PORT NAME} answers each request with its name and the id of its process.  On a
WebSocket, whose messages have at most 125 bytes, it repeats each message behind these two.
"""

from __future__ import annotations

import _thread
import hashlib
import os
import socket
import sys
from base64 import b64encode
from typing import BinaryIO

# See RFC 6455.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x81, 0x88, 0x89, 0x8A


def _echo(stream: BinaryIO, answer: socket.socket, key: bytes) -> None:
    """
    Serve a WebSocket.
    """
    accept = b64encode(hashlib.sha1(key + _GUID).digest())
    answer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    while start := stream.read(2):
        kind, length = start[0], start[1] & 0x7F
        mask = stream.read(4)
        data = bytes(each ^ mask[at % 4] for at, each in enumerate(stream.read(length)))
        if kind == _TEXT:
            data = _NAME + b" " + data
        answer.sendall(bytes((_PONG if kind == _PING else kind, len(data))) + data)
        if kind == _CLOSE:
            return


def _serve(connection: socket.socket) -> None:
    """
    Serve one connection until it is closed.
    """
    try:
        with connection, connection.makefile("rb") as stream:
            while stream.readline():
                fields = {}
                while (line := stream.readline().strip()) != b"":
                    name, _, value = line.partition(b":")
                    fields[name.lower()] = value.strip()
                if b"sec-websocket-key" in fields:
                    return _echo(stream, connection, fields[b"sec-websocket-key"])
                length = b"Content-Length: %d\r\n\r\n" % len(_NAME)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + _NAME)
    except OSError:
        pass


if __name__ == "__main__":
    _NAME = f"{sys.argv[2]} {os.getpid()}".encode()
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    while True:
        _thread.start_new_thread(_serve, (listening.accept()[0],))
