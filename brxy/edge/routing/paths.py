"""
Matches the paths of requests with prefixes.

A prefix matches the bytes of a path as the client sent them, in whole segments.  Apps may read
the same bytes in other ways: decode C{%2f}, join C{//}, drop C{;...}, or go up at C{..}.  A
path that would then belong to another route is ambiguous, see L{reading}.

Pure: bytes in, bytes and truths out.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

__all__ = [
    "hasDotSegment",
    "hasEmptyStart",
    "isPlain",
    "matches",
    "pathOf",
    "pathPrefix",
    "reading",
]

_SEGMENT = r"/[A-Za-z0-9_~@:!$&'()*+,=-][A-Za-z0-9._~@:!$&'()*+,=-]*"

_PREFIX = re.compile(f"(?:{_SEGMENT})+")

# Every app reads these alike: no segment is empty or begins with a dot, and nothing is encoded.
_PLAIN = re.compile(rf"(?:{_SEGMENT})*/?".encode("ascii"))

_SLASHES = re.compile(rb"[/\\]+")


def pathPrefix(text: str) -> bytes:
    """
    Convert a prefix of paths.

    @raise ValueError: it is none, or apps might read it in different ways.
    """
    if text == "/":
        raise ValueError("every path begins with /: leave paths out for a whole host")
    if not _PREFIX.fullmatch(text):
        raise ValueError(
            "a path such as /api is needed: no / at its end, nothing encoded, no segment that is "
            "empty or begins with a dot"
        )
    return text.encode("ascii")


def pathOf(target: bytes) -> bytes:
    """
    The path in the target of a request.
    """
    return target.partition(b"?")[0]


def matches(prefix: bytes, path: bytes) -> bool:
    """
    Whether a path is at or below a prefix; the empty prefix has all.
    """
    if not path.startswith(prefix):
        return False
    return not prefix or path[len(prefix) : len(prefix) + 1] in (b"", b"/")


def isPlain(path: bytes) -> bool:
    """
    Whether there is only one way to read a path.
    """
    return _PLAIN.fullmatch(path) is not None


def _decoded(path: bytes) -> bytes:
    # Some apps decode what a server in front of them has decoded already.
    return unquote_to_bytes(unquote_to_bytes(path))


def _segments(path: bytes) -> list[bytes]:
    return [each.partition(b";")[0] for each in re.split(rb"[/\\]", _decoded(path))]


def hasDotSegment(path: bytes) -> bool:
    """
    Whether a path has a segment C{.} or C{..}, in any spelling.
    """
    return any(each in (b".", b"..") for each in _segments(path))


def hasEmptyStart(path: bytes, prefix: bytes) -> bool:
    """
    Whether a path begins with C{//} without a prefix that matches it, in any spelling.
    """
    return b"/".join(_segments(path[len(prefix) :])).startswith(b"//")


def reading(path: bytes) -> bytes:
    """
    A path without dot segments as the app reads it that decodes and leaves out the most.  If a
    prefix matches in any reading, it matches in this one.
    """
    return _SLASHES.sub(b"/", b"/".join(_segments(path)))
