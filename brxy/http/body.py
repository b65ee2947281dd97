"""
Where a body ends (RFC 9112 §6 and §7).  Bytes pass unchanged, while their framing is
followed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from brxy.errors import BadRequest, PeerError
from brxy.http.chunks import ChunkedBody
from brxy.http.fields import (
    CHUNKED,
    UNTIL_CLOSE,
    Field,
    connectionOptions,
    namedByConnection,
    valuesOf,
)

__all__ = ["Body", "ChunkedBody", "LengthBody", "UntilCloseBody", "badBody", "framingFor"]


class Body(Protocol):
    """
    The framing of one body.

    @ivar done: the body is complete.
    @ivar pending: bytes that were taken, and can't be passed on until more come.
    """

    done: bool

    @property
    def pending(self) -> bytes: ...

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        Take bytes that have come in.

        @return: what to pass on, and what follows the end of the body.  Bytes that may
            still prove to be invalid framing are kept until that is certain; if all of
            C{data} passes, the same object is returned.
        @raise brxy.errors.PeerError: the framing is invalid.  Nothing that follows can be
            read.
        """


def badBody(reason: str) -> PeerError:
    """
    The error for an invalid body of a request.
    """
    return BadRequest(400, reason)


def framingFor(
    length: int,
    fields: Sequence[Field] = (),
    *,
    decode: bool = False,
    error: Callable[[str], PeerError] = badBody,
) -> Body:
    """
    The framing for the C{length} of a head.

    @param fields: those of the head; what Connection names among them goes on in a trailer
        as little as in the head (RFC 9110 §7.6.1).
    @param decode: pass on only the contents of chunks, for clients without chunked coding.
    @param error: makes the error for an invalid body.
    """
    if length == CHUNKED:
        named = namedByConnection(connectionOptions(valuesOf(fields, b"connection")))
        return ChunkedBody(decode, error, named)
    if length == UNTIL_CLOSE:
        return UntilCloseBody()
    return LengthBody(length)


class LengthBody:
    """
    A body of a known length.  An empty one is done from the beginning.

    @ivar remaining: the bytes that are still to come.
    """

    __slots__ = ("done", "remaining")

    pending = b""

    def __init__(self, length: int) -> None:
        self.remaining = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        See L{Body.feed}.
        """
        remaining = self.remaining
        if len(data) <= remaining:
            self.remaining = remaining - len(data)
            self.done = self.remaining == 0
            return data, b""
        self.remaining = 0
        self.done = True
        return data[:remaining], data[remaining:]


class UntilCloseBody:
    """
    The body of a response that only the end of the connection ends.
    """

    __slots__ = ("done",)

    pending = b""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        See L{Body.feed}.
        """
        return data, b""
