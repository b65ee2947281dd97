"""
The trace that a request belongs to, as its client names it (W3C Trace Context, level 1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import frozen

from brxy.http.fields import Field, valuesOf
from brxy.http.request import RequestHead, withPassed

__all__ = ["SAMPLED", "Parent", "isPlain", "readParent", "withoutTrace"]

#: The bit of the flags that says that the trace is recorded.
SAMPLED = 1

_PARENT, _STATE = b"traceparent", b"tracestate"

# Of the version 00; one of a later version may go on behind another "-".
_VALUE = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
_INVALID_VERSION = b"ff"

_MEMBER = re.compile(
    rb"(?P<key>[a-z][a-z0-9_*/-]{0,255}"
    rb"|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    rb"=[ -+\--<>-~]{0,255}[!-+\--<>-~]"
)
_MOST_MEMBERS = 32

# The lines as they go on to the app.
_LINES = re.compile(rb"(?im)^trace(?:parent|state): [^\n]*+\n")


@frozen
class Parent:
    """
    The span of a client, which a request continues.

    @ivar trace_id: of the trace, as 32 hexadecimal digits.
    @ivar span_id: of the span, as 16 of them.
    @ivar sampled: the client says that the trace is recorded.
    @ivar state: the value of C{tracestate}, which is passed on unread; C{b""} for none.
    """

    trace_id: bytes
    span_id: bytes
    sampled: bool
    state: bytes = b""


def isPlain(head: RequestHead) -> bool:
    """
    @return: whether the lines that go on to the app certainly name no trace.
    """
    return b"trace" not in head.passed.lower()


def readParent(fields: Sequence[Field]) -> Parent | None:
    """
    @return: the span that a request continues; L{None} if it has none, or an invalid one.
    """
    values = valuesOf(fields, _PARENT)
    found = _VALUE.fullmatch(values[0]) if len(values) == 1 else None
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == _INVALID_VERSION or more and version == b"00":
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    sampled = bool(int(flags, 16) & SAMPLED)
    return Parent(trace_id, span_id, sampled, _state(valuesOf(fields, _STATE)))


def _state(values: Sequence[bytes]) -> bytes:
    """
    @return: the members of C{tracestate} in one value; C{b""} if one of them is invalid, or
        there are too many.
    """
    stripped = [member.strip(b" \t") for member in b",".join(values).split(b",")]
    members = [member for member in stripped if member]
    if len(members) > _MOST_MEMBERS:
        return b""
    keys = set()
    for member in members:
        found = _MEMBER.fullmatch(member)
        if found is None or found["key"] in keys:
            return b""
        keys.add(found["key"])
    return b",".join(members)


def withoutTrace(head: RequestHead) -> RequestHead:
    """
    The same request for an app without the lines that name a trace.
    """
    return withPassed(head, head.target, _LINES.sub(b"", head.passed))
