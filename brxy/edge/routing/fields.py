"""
Field lines that a route adds to requests and responses, sets, or removes.

Fields that frame a message, or that only the edge may write, are refused when a file is read, so
nothing here can make two servers read a message in two ways.

Pure: bytes in, bytes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from attrs import evolve, frozen

from brxy.edge.routing.keys import key
from brxy.http.fields import (
    HOP_BY_HOP,
    REMEMBERED,
    SHORT,
    TOKEN,
    Field,
    isPrivate,
)
from brxy.http.messages import ResponseHead
from brxy.values.converters import BadEntry

__all__ = ["FieldEditor", "Headers", "RequestHeaders", "ResponseHeaders"]

_NAME = re.compile(rb"%b{1,128}" % TOKEN)
_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")

# They frame or route a message, or the edge writes them itself.
_FRAMING = frozenset(
    {b"content-length", b"expect", b"host", b"trailer", b"transfer-encoding", b"via"}
)
_OF_EDGE = frozenset({b"date", b"x-request-id"})

# The edge's own answers have these already, or not.
_OF_ANSWERS = frozenset(
    {
        b"allow",
        b"cache-control",
        b"content-encoding",
        b"content-language",
        b"content-type",
        b"etag",
        b"last-modified",
        b"location",
        b"retry-after",
        b"strict-transport-security",
        b"x-content-type-options",
    }
)


def _normal(name: bytes) -> bytes:
    """
    The name of a field as CGI and WSGI tell it from others: C{X_User} is C{X-User} there.
    """
    return name.lower().replace(b"_", b"-")


def _isOfRequest(name: bytes) -> bool:
    """
    Whether a route may not change a field of requests.
    """
    return name in _FRAMING or isPrivate(name)


def _isOfResponse(name: bytes) -> bool:
    """
    Whether a route may not change a field of responses.
    """
    return name in _FRAMING or name in _OF_EDGE or name in HOP_BY_HOP


def _fieldName(isRefused: Callable[[bytes], bool], text: str) -> bytes:
    """
    Convert the name of a field.

    @raise ValueError: it is none, or a route may not change it.
    """
    name = text.encode("utf-8")
    if not _NAME.fullmatch(name):
        raise ValueError("the name of a header field is needed, such as X-Frame-Options")
    if isRefused(_normal(name)):
        raise ValueError(f"{text} is the edge's own to write: no route can change it")
    return name


def _lines(isRefused: Callable[[bytes], bool], given: object) -> Sequence[tuple[bytes, bytes]]:
    """
    Convert a table of fields.
    """
    if not isinstance(given, Mapping):
        raise ValueError('a table of fields is needed, such as { X-Robots-Tag = "none" }')
    found = []
    for text, value in given.items():
        try:
            name = _fieldName(isRefused, text)
            if not _VALUE.fullmatch(value):
                raise ValueError(
                    f"the value of {text} needs to be at most 4096 characters of ASCII"
                )
        except ValueError as error:
            raise BadEntry(str(error), text) from None
        found.append((name, value.strip().encode("ascii")))
    return tuple(found)


_REQUEST = partial(_lines, _isOfRequest), partial(_fieldName, _isOfRequest)
_RESPONSE = partial(_lines, _isOfResponse), partial(_fieldName, _isOfResponse)

_Lines = Sequence[tuple[bytes, bytes]]

_TAKES_NAME = "the name of a header field"


@frozen
class RequestHeaders:
    """
    What becomes of the fields of requests.

    @ivar add: lines that are added, whatever there is.
    @ivar set: lines that replace all fields of their names.
    @ivar remove: the names of fields that are removed.
    """

    add: _Lines = key((), _REQUEST[0], "Fields that are added.", form="table")
    set: _Lines = key((), _REQUEST[0], "Fields that replace those of the same name.", form="table")
    remove: Sequence[bytes] = key(
        (), _REQUEST[1], "Fields that are removed.", _TAKES_NAME, form="values"
    )


@frozen
class ResponseHeaders:
    """
    What becomes of the fields of responses, see L{RequestHeaders}.
    """

    add: _Lines = key((), _RESPONSE[0], "Fields that are added.", form="table")
    set: _Lines = key(
        (), _RESPONSE[0], "Fields that replace those of the same name.", form="table"
    )
    remove: Sequence[bytes] = key(
        (), _RESPONSE[1], "Fields that are removed.", _TAKES_NAME, form="values"
    )


@frozen
class Headers:
    """
    What becomes of the fields of requests and responses.
    """

    request: RequestHeaders = key(
        RequestHeaders(), RequestHeaders, "Changes of requests.", form="group"
    )
    response: ResponseHeaders = key(
        ResponseHeaders(), ResponseHeaders, "Changes of responses.", form="group"
    )


class FieldEditor:
    """
    Changes the field lines of messages.  Most messages have lines that were changed before, so
    what became of them is remembered, for all routes together.

    @ivar own: the lines for answers of the edge's own.
    """

    def __init__(self, changes: RequestHeaders | ResponseHeaders) -> None:
        lines = [*changes.set, *changes.add]
        dropped = [*changes.remove, *(name for name, _ in changes.set)]
        self._dropped = frozenset(map(_normal, dropped))
        self._fields: list[Field] = [(name.lower(), name, value) for name, value in lines]
        self._added = _joined(lines)
        self.own = _joined([each for each in lines if _normal(each[0]) not in _OF_ANSWERS])

    def lines(self, lines: bytes) -> bytes:
        """
        @return: field lines with the changes.
        """
        return (_remembered if len(lines) <= SHORT else _changed)(self, lines)

    def response(self, head: ResponseHead) -> ResponseHead:
        """
        @return: a response with the changes.
        """
        # The heads of short responses are remembered, each as one object.
        short = len(head.passed) <= SHORT
        return (_rememberedResponse if short else _changedResponse)(self, head)

    def changed(self, lines: bytes) -> bytes:
        """
        See L{lines}; nothing is remembered.
        """
        if not self._dropped:
            return lines + self._added
        kept = [
            line
            for line in lines.splitlines(keepends=True)
            if _normal(line.partition(b":")[0]) not in self._dropped
        ]
        return b"".join((*kept, self._added))

    def changedResponse(self, head: ResponseHead) -> ResponseHead:
        """
        See L{response}; nothing is remembered.
        """
        kept = [field for field in head.fields if _normal(field[0]) not in self._dropped]
        own = {lower for lower, _, _ in self._fields}
        return evolve(
            head,
            fields=[*kept, *self._fields],
            # What the app reserves for this hop are its own fields.
            options=tuple(each for each in head.options if each not in own),
            passed=self.changed(head.passed),
            usual=b"",
        )


_changed, _changedResponse = FieldEditor.changed, FieldEditor.changedResponse
_remembered = lru_cache(REMEMBERED)(_changed)
_rememberedResponse = lru_cache(REMEMBERED)(_changedResponse)


def _joined(lines: _Lines) -> bytes:
    return b"".join(b"%b: %b\r\n" % line for line in lines)
