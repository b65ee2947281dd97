"""
Heads of HTTP/1.x responses, as apps send them (RFC 9112 §4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from attrs import define

from brxy.errors import BadResponse
from brxy.http.fields import (
    CHUNKED,
    HOP_BY_HOP,
    MAX_FIELDS,
    MAX_HEAD,
    REMEMBERED,
    REMEMBERED_LINES,
    SHORT,
    TOKEN,
    UNTIL_CLOSE,
    VALUE,
    Field,
    connectionOptions,
    isPartialSection,
    namedByConnection,
    offeredProtocols,
    parsedLength,
    readField,
    staysOpen,
    upgradeLines,
)

__all__ = ["ResponseHead", "isSwitchAsked", "passedFields", "responseHead"]

_MAX_REASON = 1024
_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: (%b{0,%d}+))?\r\n" % (VALUE, _MAX_REASON))
# The status line up to its reason: a partial one is completed by the example.
_SHAPE = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2} ")
_EXAMPLE = b"HTTP/1.1 200 "
_PARTIAL_LINE = re.compile(rb"HTTP/1\.[01] [1-9][0-9]{2}(?: %b{0,%d}+)?\r?" % (VALUE, _MAX_REASON))

_BLANKS = re.compile(rb"(%b++)[ \t]++:(%b*+)" % (TOKEN, VALUE))

_FRAMING = frozenset((b"connection", b"content-length", b"transfer-encoding"))
_DECISIVE = _FRAMING | {b"date"}


# What it is about must be in its Upgrade (RFC 9110 §15.5.22).
_UPGRADE_REQUIRED = 426

_BODY_FIELDS = frozenset((b"content-length", b"transfer-encoding", b"trailer"))


# Not frozen: that would cost a tenth of the time that a head takes.
@define(eq=False)
class ResponseHead:
    """
    A response without its body, or an informational response.  It does not change after
    L{responseHead} has made it, except for C{usual}, and exchanges may share it.

    @ivar reason: the reason phrase, often empty.
    @ivar http11: whether the app answered in HTTP/1.1 (else 1.0).
    @ivar length: the length of the body in bytes, L{CHUNKED}, or L{UNTIL_CLOSE}; 0 if
        there is no body, whatever the fields say.
    @ivar keep_alive: the app's connection can be used again afterwards.
    @ivar upgrade: it is a 101: what follows is a tunnel.
    @ivar fields: as they were sent, except for the spelling of Content-Length and
        Transfer-Encoding: name in lower case, name as sent, value.
    @ivar options: what Connection names, in lower case.
    @ivar dated: no Date is missing: it has one, or is informational.
    @ivar passed: the field lines that go on to a client of HTTP/1.1.
    @ivar usual: the head as it is written to nearly all clients, once it was written to
        one, without a Date of ours; see L{brxy.http.render.renderResponse}.
    """

    status: int
    reason: bytes
    http11: bool
    length: int
    keep_alive: bool
    upgrade: bool
    dated: bool
    fields: list[Field]
    options: tuple[bytes, ...]
    passed: bytes
    usual: bytes = b""


def responseHead(data: bytes | bytearray, method: bytes) -> tuple[ResponseHead, int] | None:
    """
    Read the head at the beginning of C{data}.

    @param method: the method of the request that it answers.
    @return: the head and its length in bytes, or L{None} if more bytes are needed.
    @raise BadResponse: it can't be passed on, whatever bytes come next.  The app's
        connection can't be used any more.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0:
        _checkPartial(data)
        return None
    raw = bytes(data[: end + 2])
    head = (_remembered if len(raw) <= SHORT else _head)(raw, method == b"HEAD")
    return head, end + 4


def _checkPartial(data: bytes | bytearray) -> None:
    """
    Refuse a partial head that can't become a valid one, instead of waiting for the rest.
    """
    if len(data) >= MAX_HEAD:
        raise BadResponse("response head too large")
    line = _LINE.match(data)
    if line is None:
        if data.find(b"\n") >= 0 or not _isPartialLine(data):
            raise BadResponse("malformed status line")
    elif not isPartialSection(data, line.end(), loose=True):
        raise BadResponse("malformed header field in the response")


def _isPartialLine(data: bytes | bytearray) -> bool:
    if len(data) < len(_EXAMPLE) - 1:
        return _SHAPE.match(data + _EXAMPLE[len(data) :]) is not None
    return _PARTIAL_LINE.fullmatch(data) is not None


def _head(data: bytes, bodiless: bool) -> ResponseHead:
    """
    @param data: the head without the empty line.
    @param bodiless: it answers a HEAD.
    """
    line = _LINE.match(data)
    if line is None:
        raise BadResponse("malformed status line")
    read = _rememberedLine if len(data) <= SHORT else readField
    fields = [read(each) for each in data[line.end() :].split(b"\r\n")[:-1]]
    if None in fields:
        fields = [_withoutBlanks(each) for each in data[line.end() :].split(b"\r\n")[:-1]]
    if None in fields:
        raise BadResponse("malformed header field in the response")
    if len(fields) > MAX_FIELDS:
        raise BadResponse("too many header fields in the response")
    minor, status, reason = line.groups()
    found = cast(list[Field], fields)
    if status == b"101" and not offeredProtocols(found):
        raise BadResponse("101 without a protocol to upgrade to")
    return _interpreted(int(status), reason or b"", minor == b"1", found, bodiless)


def _withoutBlanks(line: bytes) -> Field | None:
    """
    L{readField} for a line that may have blanks before its colon, which a proxy removes from
    responses (RFC 9112 §5.1).

    @return: L{None} too for such a field that frames the response: the app and a proxy
        before it may not agree about it.
    """
    match = _BLANKS.fullmatch(line)
    if match is None:
        return readField(line)
    field = readField(b"%b:%b" % match.groups())
    return None if field is None or field[0] in _FRAMING else field


_remembered = lru_cache(REMEMBERED)(_head)
_rememberedLine = lru_cache(REMEMBERED_LINES)(readField)


def _interpreted(
    status: int, reason: bytes, http11: bool, fields: list[Field], bodiless: bool
) -> ResponseHead:
    decisive: dict[bytes, list[bytes]] = {}
    dated = False
    for lower, _, value in fields:
        if lower in _DECISIVE:
            if lower == b"date":
                dated = True
            else:
                decisive.setdefault(lower, []).append(value)
    options: tuple[bytes, ...] = ()
    if b"connection" in decisive:
        options = connectionOptions(decisive[b"connection"])
        dated = dated and b"date" not in options
    length = _bodyLength(decisive, http11)
    keep_alive = staysOpen(options, http11)
    passed = fields
    if status < 200 or status == 204:
        # A body, which must not be there, would be read as the next response.
        keep_alive = keep_alive and length in (0, UNTIL_CLOSE) and status != 101
        length = 0
        dated = dated or status < 200
        passed = [field for field in fields if field[0] not in _BODY_FIELDS]
    elif bodiless or status == 304:
        length = 0
    elif length == UNTIL_CLOSE:
        keep_alive = False
    return ResponseHead(
        status,
        reason,
        http11,
        length,
        keep_alive,
        status == 101,
        dated,
        fields,
        options,
        passedFields(status, passed, options),
    )


def isSwitchAsked(response: ResponseHead, asked: Sequence[Field]) -> bool:
    """
    Whether a 101 switches only to protocols that the request has offered (RFC 9110 §7.8).

    @param asked: the fields of the request, which may upgrade.
    """
    protocols = {each.lower() for each in offeredProtocols(asked)}
    return protocols.issuperset(each.lower() for each in offeredProtocols(response.fields))


def passedFields(status: int, fields: list[Field], options: tuple[bytes, ...]) -> bytes:
    """
    The lines of the fields that are not for this hop alone.

    @param options: what Connection names, in lower case.
    """
    named = namedByConnection(options)
    lines = [
        b"%b: %b\r\n" % (name, value)
        for lower, name, value in fields
        if lower not in HOP_BY_HOP and lower not in named
    ]
    if options and status == _UPGRADE_REQUIRED and offeredProtocols(fields):
        lines.append(upgradeLines(fields))
    return b"".join(lines)


def _bodyLength(decisive: dict[bytes, list[bytes]], http11: bool) -> int:
    """
    The length that the fields state (RFC 9112 §6.3), without any of the guesses that the
    RFC allows.
    """
    codings = decisive.get(b"transfer-encoding")
    lengths = decisive.get(b"content-length")
    if codings is not None:
        if lengths is not None:
            raise BadResponse("both Content-Length and Transfer-Encoding in the response")
        if not http11 or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise BadResponse("bad Transfer-Encoding in the response")
        return CHUNKED
    if lengths is None:
        return UNTIL_CLOSE
    if len(lengths) > 1:
        raise BadResponse("more than one Content-Length in the response")
    length = parsedLength(lengths[0])
    if length is None:
        raise BadResponse("bad Content-Length in the response")
    return length
