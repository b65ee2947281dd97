"""
Matches the paths of requests with prefixes.

A prefix matches the bytes of a path as the client sent them, in whole segments.  Apps may read
the same bytes in other ways: decode C{%2f}, join C{//}, drop C{;...}, or go up at C{..}.  A
path that would then belong to another route is ambiguous, see L{readings}.

Pure: bytes in, bytes and truths out.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

__all__ = [
    "MOST",
    "hasDotSegment",
    "isPlain",
    "joined",
    "matches",
    "pathOf",
    "pathPrefix",
    "readings",
]

_SEGMENT = r"/[A-Za-z0-9_~@:!$&'()*+,=-][A-Za-z0-9._~@:!$&'()*+,=-]*"

_PREFIX = re.compile(f"(?:{_SEGMENT})+")

# Every app reads these alike: no segment is empty or begins with a dot, and nothing is encoded.
_PLAIN = re.compile(rf"(?:{_SEGMENT})*/?".encode("ascii"))

_SLASHES = re.compile(rb"//+")

_PARAMETERS = re.compile(rb";[^/]*")

#: A path that can be read in more ways than this is ambiguous.  Those of the most usual
#: characters can be read in at most six.
MOST = 16


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


def readings(path: bytes) -> set[bytes]:
    """
    The ways in which apps and servers read a path: they decode it, up to twice, read a backslash
    as a slash, and leave out parameters, each of them or not, in any order.

    @return: with empty segments, which most join; empty if there are more than L{MOST}.
    """
    found = {path}
    for last in (False, False, True):
        for step in (_withSlashes, _withoutParameters):
            found |= {step(each) for each in found}
        if not last:
            # Some apps decode what a server in front of them has decoded already.
            found |= {unquote_to_bytes(each) for each in found}
        if len(found) > MOST:
            return set()
    return found


def _withSlashes(path: bytes) -> bytes:
    return path.replace(b"\\", b"/")


def _withoutParameters(path: bytes) -> bytes:
    return _PARAMETERS.sub(b"", path)


def hasDotSegment(path: bytes) -> bool:
    """
    Whether a path has a segment C{.} or C{..}.
    """
    return b"." in path and not {b".", b".."}.isdisjoint(path.split(b"/"))


def joined(path: bytes) -> bytes:
    """
    A path without empty segments.
    """
    return _SLASHES.sub(b"/", path)
