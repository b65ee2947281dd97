"""
Where a body ends (RFC 9112 §6 and §7): bytes go through as they came, and
their framing is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from brxy.errors import BadRequest, PeerError
from brxy.http.chunks import ChunkedBody
from brxy.http.fields import CHUNKED, UNTIL_CLOSE

__all__ = ["Body", "ChunkedBody", "LengthBody", "UntilCloseBody", "badBody", "framingFor"]


class Body(Protocol):
    """
    The framing of one body.

    @ivar done: nothing more belongs to it.
    """

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        Take what came in.

        @return: what to pass on, and what is left over behind the body's end.
            Bytes that may still turn out wrong as framing are kept until they
            can't; C{data} itself is returned where all of it passes.
        @raise brxy.errors.PeerError: the framing is broken.  Nothing can be
            told about what follows.
        """


def badBody(reason: str) -> PeerError:
    """
    The error for bodies of requests.
    """
    return BadRequest(400, reason)


def framingFor(
    length: int, *, decode: bool = False, error: Callable[[str], PeerError] = badBody
) -> Body:
    """
    The framing for a head's C{length}.

    @param decode: pass only the content of chunks on, for those who know no
        chunks.
    @param error: makes what is raised for a broken body.
    """
    if length == CHUNKED:
        return ChunkedBody(decode, error)
    if length == UNTIL_CLOSE:
        return UntilCloseBody()
    return LengthBody(length)


class LengthBody:
    """
    A body whose length is known; of 0, it is done from the beginning.

    @ivar remaining: how many bytes are still to come.
    """

    __slots__ = ("done", "remaining")

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
    A response's body that only the end of the connection ends.
    """

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """
        See L{Body.feed}.
        """
        return data, b""
