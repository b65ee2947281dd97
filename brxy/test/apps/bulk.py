"""
An app that sends and receives large bodies, for tests of streaming.

C{GET /N} is answered with N bytes, C{GET /N?chunked} with as many in chunks.
The app reads nothing of a POST for a second, and answers with the number of
bytes of its content.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = bytes(range(256)) * 4096


def blocks(size: int) -> Iterator[bytes]:
    """
    Generates this many bytes.
    """
    while size > 0:
        yield BLOCK[:size]
        size -= len(BLOCK)


def chunk(data: bytes) -> bytes:
    """
    @return: one chunk of the chunked coding.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


def takeAll(stream: BinaryIO, length: str | None) -> int:
    """
    Read a body.

    @param length: its Content-Length; L{None}: it is chunked.
    @return: its length.
    """
    if length is not None:
        remaining = int(length)
        while remaining:
            remaining -= len(stream.read(min(remaining, len(BLOCK))))
        return int(length)
    taken = 0
    while size := int(stream.readline(), 16):
        taken += len(stream.read(size))
        stream.read(2)
    stream.readline()
    return taken


def serve(connection: socket.socket) -> None:
    """
    Answer one request.
    """
    stream = connection.makefile("rb")
    request_line = stream.readline().decode()
    if not request_line:
        # A client that only checked whether the app is ready.
        return
    method, target, _ = request_line.split(" ")
    fields = {}
    while line := stream.readline().decode().strip():
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    if method == "POST":
        time.sleep(1)
        answer = b"%d" % takeAll(stream, fields.get("content-length"))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer)
        connection.sendall(head + answer)
        return
    size, _, query = target[1:].partition("?")
    if query == "chunked":
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for block in blocks(int(size)):
            connection.sendall(chunk(block))
        connection.sendall(b"0\r\n\r\n")
    else:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % size.encode())
        for block in blocks(int(size)):
            connection.sendall(block)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        with listening.accept()[0] as accepted:
            serve(accepted)
