"""
Checks for everything that reads bytes as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from brxy.errors import PeerError

__all__ = ["Fed", "checkPrefixes", "feed", "pieces", "waysToCut"]

# Every place is tried to cut a short input, and this many places of a long one.
_ALL = 200
_SOME = 50

# The number of bytes that are fed in every way.
_FEW = 60

Read = Callable[[bytes], "tuple[Any, int] | None"]


def checkPrefixes(read: Read, data: bytes) -> tuple[Any, int] | None:
    """
    Check that it does not matter in which pieces a head arrives: until it is
    whole the reader requests more; from then on it reads the same head,
    whatever follows; and once it has refused the bytes it refuses them with
    any bytes added.

    @param read: returns what it has read and the length of that, L{None} when
        more bytes are needed, or raises L{PeerError}.
    @return: what is read; L{None} also if it is refused.
    """
    whole = _outcome(read, data)
    refused = False
    for end in _ends(data, whole):
        part = _outcome(read, data[:end])
        if isinstance(whole, tuple):
            assert part == (whole if end >= whole[1] else None), (end, part, whole)
        else:
            assert part is None or part == whole == "refused", (end, part, whole)
            assert part or not refused, (end, part, whole)
            refused = part is not None
    return whole if isinstance(whole, tuple) else None


def _outcome(read: Read, data: bytes) -> Any:
    try:
        return read(data)
    except PeerError as error:
        assert str(error).isprintable(), error
        return "refused"


def _ends(data: bytes, whole: Any) -> list[int]:
    size = len(data)
    if size <= _ALL:
        return list(range(size + 1))
    ends = set(range(0, size, size // _SOME)) | {size}
    if isinstance(whole, tuple):
        ends |= {end for end in range(whole[1] - 3, whole[1] + 3) if 0 <= end <= size}
    return sorted(ends)


def pieces(data: bytes, size: int) -> list[bytes]:
    """
    @return: the same bytes in pieces of a size, with an empty one among them.
    """
    return [b"", *(data[start : start + size] for start in range(0, len(data), size))]


def waysToCut(data: bytes, size: int) -> Iterator[list[bytes]]:
    """
    @return: the same bytes in pieces: of a size; and if they are few byte by
        byte, and in two at each place.
    """
    yield pieces(data, size)
    if len(data) <= _FEW:
        yield pieces(data, 1)
        yield from ([data[:place], data[place:]] for place in range(1, len(data)))


# The bytes of a body that have passed, the bytes left over after it, and whether it is done.
Fed = tuple[bytes, bytes, bool]


def feed(body: Any, parts: Iterable[bytes], kept: int | None = None) -> Fed | None:
    """
    Feed these pieces to a body's framing.

    @param kept: how many bytes it may keep at most; L{None} if it does not
        pass on all bytes.
    @return: L{None} if they are refused.
    """
    passed, left, taken = b"", b"", 0
    try:
        for part in parts:
            out, rest = body.feed(part)
            taken += len(part)
            passed += out
            left += rest
            assert body.done or not rest
            assert kept is None or body.done or taken - len(passed) <= kept
    except PeerError:
        return None
    return passed, left, body.done
