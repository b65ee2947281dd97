"""
The chunked transfer coding (RFC 9112 §7.1), read strictly.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from brxy.errors import PeerError
from brxy.http.fields import TOKEN, isPartialSection, isTrailerAllowed, splitFields

__all__ = ["MAX_SIZE_LINE", "MAX_TRAILERS", "MAX_TRAILER_FIELDS", "ChunkedBody"]

# The maximum bytes of a line with the size of a chunk and its extensions; the maximum bytes
# and fields of a trailer section.  No more than this is kept of a body.
MAX_SIZE_LINE = 256
MAX_TRAILERS = 8 * 1024
MAX_TRAILER_FIELDS = 32
_MAX_CHUNK = 2**63 - 1

# Extensions, without the "bad" white space of the grammar.
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
_EXTENSIONS = rb"(?:;%b++(?:=(?:%b++|%b))?)*" % (TOKEN, TOKEN, _QUOTED)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)%b\r\n" % _EXTENSIONS)
# The same with it.  Parsers disagree about such lines.
_BLANK_EXTENSIONS = rb"(?:[ \t]*+;[ \t]*+%b++(?:[ \t]*+=[ \t]*+(?:%b++|%b))?)*" % (
    TOKEN,
    TOKEN,
    _QUOTED,
)
_BLANK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16}+)%b\r\n" % _BLANK_EXTENSIONS)
_PARTIAL_SIZE = re.compile(rb"(?:[0-9A-Fa-f]{1,16}+(?:\r|[ \t]*+(?:;[\t -~\x80-\xff]*+\r?)?)?)?")

# The part of the body that the next byte belongs to.
_SIZE_LINE = 0
_CONTENT = 1
_CONTENT_END = 2
_TRAILERS = 3


class ChunkedBody:
    """
    A chunked body, see L{brxy.http.body.Body}.  The chunks pass unchanged, or only their
    contents do.  Extensions of a chunk that have white space outside of quotes are removed
    with it, as RFC 9110 §5.6.3 demands of the white space; RFC 9112 §7.1.1 lets a
    recipient ignore extensions.

    @ivar done: the body is complete.
    """

    __slots__ = ("_cuts", "_decode", "_error", "_missing", "_named", "_pending", "_state", "done")

    def __init__(
        self,
        decode: bool,
        error: Callable[[str], PeerError],
        named: frozenset[bytes] = frozenset(),
    ) -> None:
        """
        @param decode: pass on only the contents of the chunks, without trailers.
        @param error: makes the error for an invalid body.
        @param named: the names of further trailer fields that don't pass, in lower case.
        """
        self.done = False
        self._named = named
        self._decode = decode
        self._error = error
        self._state = _SIZE_LINE
        self._missing = 0  # bytes of the contents of this chunk
        self._pending = b""  # bytes that can't be checked until more come
        self._cuts: list[tuple[int, int]] = []  # what to remove of the bytes in hand

    @property
    def pending(self) -> bytes:
        """
        See L{brxy.http.body.Body}.
        """
        return self._pending

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        Take bytes that have come in, see L{brxy.http.body.Body.feed}.
        """
        if len(data) < self._missing:  # within a chunk, as most bytes of long bodies are
            self._missing -= len(data)
            return data, b""
        if self.done:
            return b"", data
        if self._pending:
            data = self._pending + data
            self._pending = b""
        contents: list[bytes] = []
        pos = self._readChunks(data, contents)
        trailers = b""
        passed = pos
        if self._state == _TRAILERS:
            pos, trailers, passed = self._readTrailers(data, pos)
        if self._decode:
            out = b"".join(contents)
        else:
            out = self._cut(data, passed) if self._cuts else data[:passed]
        if trailers and not self._decode:
            out += trailers
        if self.done:
            return out, data[pos:]
        self._pending = data[pos:]
        return out, b""

    def _readChunks(self, data: bytes, contents: list[bytes]) -> int:
        """
        Follow the chunks up to the last one, as far as they have come.

        @param contents: collects their contents, if those are decoded.
        @return: the end of the bytes that are known to be valid.
        """
        pos = 0
        while self._state != _TRAILERS:
            if self._state == _SIZE_LINE:
                end = self._readSize(data, pos)
            elif self._state == _CONTENT:
                end = self._readContent(data, pos)
                if self._decode:
                    contents.append(data[pos:end])
            else:
                end = self._readContentEnd(data, pos)
            if end == pos:
                break
            pos = end
        return pos

    def _readSize(self, data: bytes, pos: int) -> int:
        match = _SIZE.match(data, pos, pos + MAX_SIZE_LINE)
        if match is None:
            match = _BLANK_SIZE.match(data, pos, pos + MAX_SIZE_LINE)
            if match is not None and not self._decode:
                self._cuts.append((match.end(1), match.end() - 2))
        if match is None:
            if len(data) - pos < MAX_SIZE_LINE and _PARTIAL_SIZE.fullmatch(data, pos):
                return pos
            raise self._error("malformed chunk size")
        size = int(match[1], 16)
        if size > _MAX_CHUNK:
            raise self._error("chunk too large")
        self._missing = size
        self._state = _CONTENT if size else _TRAILERS
        return match.end()

    def _cut(self, data: bytes, end: int) -> bytes:
        """
        @return: the bytes up to C{end}, without those that are to be removed.
        """
        parts, pos = [], 0
        for start, after in self._cuts:
            parts.append(data[pos:start])
            pos = after
        parts.append(data[pos:end])
        self._cuts = []
        return b"".join(parts)

    def _readContent(self, data: bytes, pos: int) -> int:
        size = min(self._missing, len(data) - pos)
        self._missing -= size
        if self._missing == 0:
            self._state = _CONTENT_END
        return pos + size

    def _readContentEnd(self, data: bytes, pos: int) -> int:
        if data.startswith(b"\r\n", pos):
            self._state = _SIZE_LINE
            return pos + 2
        if data[pos:] not in (b"", b"\r"):
            raise self._error("chunk without its end")
        return pos

    def _readTrailers(self, data: bytes, pos: int) -> tuple[int, bytes, int]:
        """
        Read the trailer section with its empty line, once it is complete.

        @return: where it ends, what to send instead of it, and the end of the bytes before
            that which pass unchanged.
        """
        if data.startswith(b"\r\n", pos):
            self.done = True
            return pos + 2, b"", pos + 2
        end = data.find(b"\r\n\r\n", pos, pos + MAX_TRAILERS)
        if end < 0:
            if len(data) - pos >= MAX_TRAILERS or not isPartialSection(data, pos):
                raise self._error("malformed or overlong trailer section")
            return pos, b"", pos
        fields = splitFields(bytes(data[pos : end + 2]))
        if fields is None:
            raise self._error("malformed trailer section")
        if len(fields) > MAX_TRAILER_FIELDS:
            raise self._error("too many trailer fields")
        self.done = True
        allowed = [
            b"%b: %b\r\n" % (name, value)
            for lower, name, value in fields
            if isTrailerAllowed(lower) and lower not in self._named
        ]
        if len(allowed) == len(fields):
            return end + 4, b"", end + 4
        return end + 4, b"".join(allowed) + b"\r\n", pos
