"""
Bodies of requests that are collected before their exchanges wait for a slot: a client that sends
slowly holds no instance.
"""

from __future__ import annotations

from typing import Protocol

from brxy.edge.exchanges.table import COLLECTING, COPY_LIMIT, Exchange

__all__ = ["RequestBuffer"]


class _Head(Protocol):
    """
    What decides whether the body of a request is collected.
    """

    @property
    def length(self) -> int: ...

    @property
    def upgrade(self) -> bool: ...


class RequestBuffer:
    """
    The memory for the bodies that are collected.

    A body counts with the bytes that have come of it, from the first one until its exchange
    is matched with a slot or is over.

    @ivar size: the bytes of all these bodies together.
    """

    def __init__(self, each: int, total: int) -> None:
        """
        @param each: bytes of the largest body that is collected; 0 to collect none.
        @param total: while all bodies together have more bytes than this, none is collected.
        """
        self._each = each
        self._total = total
        self._sizes: dict[Exchange, int] = {}
        self.size = 0

    def takes(self, head: _Head) -> bool:
        """
        @param head: the head of a request with a body.
        @return: whether its body is collected.  It is not if the request offers an upgrade:
            the app may switch before the body is complete.
        """
        fits = self._each > 0 and head.length <= self._each
        return fits and not head.upgrade and self.size < self._total

    def begin(self, exchange: Exchange) -> None:
        """
        Begin to collect the body of an exchange.
        """
        exchange.collect(max(self._each, COPY_LIMIT))
        self._sizes[exchange] = 0
        self.keep(exchange)

    def keep(self, exchange: Exchange) -> bool:
        """
        Count what has come of a body.

        @return: whether still more of it may be kept.
        """
        kept = exchange.copied
        self.size += kept - self._sizes[exchange]
        self._sizes[exchange] = kept
        return kept < self._each and self.size < self._total

    def discard(self, exchange: Exchange) -> None:
        """
        Forget an exchange that is on a slot, or over.  Does nothing if its body was not collected.
        """
        self.size -= self._sizes.pop(exchange, 0)

    def collecting(self) -> list[Exchange]:
        """
        @return: the exchanges whose bodies are not complete.
        """
        return [each for each in self._sizes if each.progress is COLLECTING]
