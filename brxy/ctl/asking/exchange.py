"""
Requests of the admin API and their responses.

The standard library's client of HTTP takes longer to import than an edge takes to answer.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

__all__ = ["BadResponse", "Connection", "Response"]

# Bytes of a line of a head, and lines of a head.
_LONGEST = 65536
_MOST_LINES = 100

# Bytes of a body: the routes of 10,000 hosts have 4 MB.
_MOST = 256 * 1024 * 1024


class BadResponse(Exception):
    """
    What was answered is no response of HTTP/1.1.
    """


class Response:
    """
    A response, whose body is read when it is wanted.

    @ivar status: its status.
    """

    def __init__(self, file: BinaryIO) -> None:
        """
        @raise BadResponse: it is none.
        @raise OSError: it does not come.
        """
        self._file = file
        version, _, rest = _line(file).partition(b" ")
        status = rest[:3]
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or not status.isdigit():
            raise BadResponse("the answer is not HTTP")
        self.status = int(status)
        fields = _fields(file)
        self._chunked = fields.get(b"transfer-encoding", b"").lower() == b"chunked"
        length = fields.get(b"content-length", b"")
        self._length = int(length) if length.isdigit() else None
        self.closes = version == b"HTTP/1.0" or fields.get(b"connection", b"").lower() == b"close"
        if not self._chunked and self._length is None:
            self.closes = True

    def read(self) -> bytes:
        """
        The whole body.

        @raise BadResponse: it is not complete, or too large.
        """
        text = b"".join(self._pieces())
        if len(text) > _MOST:
            raise BadResponse("the answer is too large")
        return text

    def lines(self) -> Iterator[str]:
        """
        The lines of the body as they come.
        """
        rest = b""
        for piece in self._pieces():
            *whole, rest = (rest + piece).split(b"\n")
            for each in whole:
                yield each.decode("utf-8", "replace").rstrip("\r")

    def _pieces(self) -> Iterator[bytes]:
        if self._chunked:
            yield from self._chunks()
        elif self._length is None:
            yield self._file.read(_MOST + 1)
        else:
            yield self._take(self._length)

    def _chunks(self) -> Iterator[bytes]:
        while True:
            text = _line(self._file).partition(b";")[0].strip()
            try:
                size = int(text, 16)
            except ValueError:
                raise BadResponse("a chunk has no size") from None
            if not size:
                _fields(self._file)
                return
            yield self._take(size)
            _line(self._file)

    def _take(self, size: int) -> bytes:
        if size > _MOST:
            raise BadResponse("the answer is too large")
        found = self._file.read(size)
        if len(found) < size:
            raise BadResponse("the answer is cut off")
        return found


class Connection:
    """
    A connection to a server, which is opened when it is needed.
    """

    def __init__(self, open: Callable[[float], socket.socket], host: str) -> None:
        """
        @param open: connects, within this number of seconds.
        @param host: how the server is called.
        """
        self._open = open
        self._host = host
        self._socket: socket.socket | None = None
        self._file: Any = None

    def request(
        self,
        method: str,
        target: str,
        body: Mapping[str, Any] | None,
        fields: Mapping[str, str],
        patience: float,
        timeout: float | None,
    ) -> Response:
        """
        Send a request, and wait for the head of its response.

        @param patience: seconds within which the connection is open.
        @param timeout: seconds without a byte of the response; L{None}: any number.
        @raise BadResponse: the answer is none.
        @raise OSError: the server can't be reached, or does not answer.
        """
        text = None if body is None else json.dumps(body).encode()
        if self._socket is None:
            self._socket = self._open(patience)
            self._file = self._socket.makefile("rb")
        self._socket.settimeout(timeout)
        self._socket.sendall(self._written(method, target, text, fields))
        return Response(self._file)

    def begin(
        self,
        method: str,
        target: str,
        text: bytes | None,
        fields: Mapping[str, str],
        patience: float,
    ) -> socket.socket:
        """
        Send a request on another connection, which the server closes after its response.

        @return: that connection.
        @raise OSError: the server can't be reached.
        """
        found = self._open(patience)
        try:
            found.sendall(self._written(method, target, text, {**fields, "Connection": "close"}))
        except OSError:
            found.close()
            raise
        found.settimeout(None)
        return found

    def _written(
        self, method: str, target: str, text: bytes | None, fields: Mapping[str, str]
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if text is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
        head = "".join(f"{line}\r\n" for line in [*lines, ""])
        return head.encode("latin-1") + (text or b"")

    def close(self) -> None:
        """
        Close the connection; the next request opens another one.
        """
        if self._socket is not None:
            self._file.close()
            self._socket.close()
            self._socket = None


def _line(file: BinaryIO) -> bytes:
    line = file.readline(_LONGEST)
    if not line.endswith(b"\n"):
        raise BadResponse("the answer is cut off" if line else "there is no answer")
    return line.rstrip(b"\r\n")


def _fields(file: BinaryIO) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for _ in range(_MOST_LINES):
        line = _line(file)
        if not line:
            return fields
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    raise BadResponse("the answer has too many fields")
