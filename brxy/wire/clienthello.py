"""
Reads the server name in the first message of a TLS client (RFC 8446 §4.1.2, RFC 6066 §3).
"""

from __future__ import annotations

from brxy.errors import BadHello

__all__ = ["ClientHelloReader"]

# The longest hello (bytes).  One with post-quantum keys has less than 2 KB, but there are
# fields of any length.
_MAX_HELLO = 16 * 1024
# The same with the headers of records, which may be small.
_MAX_BYTES = 2 * _MAX_HELLO

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_MAX_RECORD = 2**14
_SERVER_NAME = 0
_HOST_NAME = 0


class ClientHelloReader:
    """
    Reads what a client sends, in pieces of any size, until its hello is complete.
    """

    def __init__(self) -> None:
        self._taken = 0
        # The part of a record, and of the message in earlier records, that has come.
        self._record = bytearray()
        self._message = bytearray()

    def feed(self, data: bytes) -> str | None:
        """
        Read the next bytes.

        @return: the server name, C{""} if the hello has none; L{None} while the hello is
            not complete.
        @raise BadHello: it is not a hello, or too long.
        """
        self._taken += len(data)
        if self._taken > _MAX_BYTES + len(data):
            raise BadHello("too long")
        self._record += data
        start = 0
        while len(self._record) - start >= 5:
            end = self._recordEnd(start)
            if end > len(self._record):
                break
            self._message += self._record[start + 5 : end]
            start = end
            name = self._whole()
            if name is not None:
                return name
        del self._record[:start]
        return None

    def _recordEnd(self, start: int) -> int:
        kind, major = self._record[start], self._record[start + 1]
        length = int.from_bytes(self._record[start + 3 : start + 5])
        if kind != _HANDSHAKE or major != 3 or not 0 < length <= _MAX_RECORD:
            raise BadHello("no TLS")
        return start + 5 + length

    def _whole(self) -> str | None:
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise BadHello("no client hello")
        if len(message) < 4:
            return None
        length = int.from_bytes(message[1:4])
        if length > _MAX_HELLO:
            raise BadHello("too long")
        if len(message) < 4 + length:
            return None
        if len(message) > 4 + length:
            raise BadHello("more than a hello")
        return _serverName(_Fields(bytes(message[4:])))


class _Fields:
    """
    Reads the fields of a message, many of which have their length before them.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, size: int) -> bytes:
        """
        The next C{size} bytes.

        @raise BadHello: fewer are left.
        """
        end = self._place + size
        if end > len(self._data):
            raise BadHello("cut short")
        taken = self._data[self._place : end]
        self._place = end
        return taken

    def number(self, size: int) -> int:
        """
        The next C{size} bytes as a number.
        """
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        """
        A field whose length comes before it, as a number of C{size} bytes.
        """
        return self.take(self.number(size))


def _serverName(hello: _Fields) -> str:
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compressions
        hello.vector(size)
    if not hello:
        return ""
    extensions = _Fields(hello.vector(2))
    if hello:
        raise BadHello("something behind its extensions")
    found: list[bytes] = []
    while extensions:
        kind, data = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            found.append(data)
    if len(found) > 1:
        raise BadHello("two server names")
    return _hostName(_Fields(found[0])) if found else ""


def _hostName(extension: _Fields) -> str:
    entries = _Fields(extension.vector(2))
    kind, name = entries.number(1), entries.vector(2)
    # There is one kind of name, and at most one name of a kind.
    if extension or entries or kind != _HOST_NAME or not name or not name.isascii():
        raise BadHello("a bad server name")
    return name.decode("ascii")
