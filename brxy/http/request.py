"""
Heads of HTTP/1.x requests, as clients send them (RFC 9112 §3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import define, evolve

from brxy.errors import BadRequest
from brxy.http.fields import (
    CHUNKED,
    MAX_FIELDS,
    MAX_HEAD,
    REMEMBERED,
    REMEMBERED_LINES,
    SHORT,
    TOKEN,
    Field,
    connectionOptions,
    isPartialSection,
    isPrivate,
    listMembers,
    namedByConnection,
    offeredProtocols,
    parsedLength,
    readField,
    staysOpen,
    upgradeLines,
    valuesOf,
)
from brxy.values.routename import routeName

__all__ = ["MAX_TARGET", "RequestHead", "requestHead", "withForwardedHost"]

MAX_TARGET = 8 * 1024
_MAX_METHOD = 32
# RFC 9112 §2.2: a robust server ignores an empty line or two before a request.
_MAX_BLANK = 16

# Visible ASCII without "#": a fragment is never sent.
_TARGET = rb'[!"$-~]'
_LINE = re.compile(
    rb"(%b{1,%d}+) (%b{1,%d}+) HTTP/1\.([01])\r\n" % (TOKEN, _MAX_METHOD, _TARGET, MAX_TARGET)
)
_PARTIAL_LINE = re.compile(
    rb"(?:\r|%b{1,%d}+(?: (?:%b{1,%d}+(?: [HTP/.0-9]{0,8}+\r?)?)?)?)?"
    % (TOKEN, _MAX_METHOD, _TARGET, MAX_TARGET)
)
_LONG_TARGET = re.compile(rb"%b{1,%d}+ %b{%d}" % (TOKEN, _MAX_METHOD, _TARGET, MAX_TARGET + 1))
_OTHER_VERSION = re.compile(
    rb"%b{1,%d}+ %b++ HTTP/[0-9]\.[0-9]\r\n" % (TOKEN, _MAX_METHOD, _TARGET)
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*+)(.*+)")

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

# What the head as a whole depends on; the other fields only pass through.
_DECISIVE = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    )
)


# Where a request was for, before the other lines that go on.
_WHERE = b"Host: %b\r\nX-Forwarded-Host: %b\r\n%b"

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")


# Not frozen: that would cost a tenth of the time a head takes.
@define(eq=False)
class _Section:
    """
    What the field lines of a request say; see L{RequestHead}.

    @ivar others: C{passed} without the lines that say where the request was for.
    """

    fields: Sequence[Field]
    host: str
    authority: bytes
    length: int
    keep_alive: bool
    upgrade: bool
    expect_continue: bool
    request_id: bytes | None
    passed: bytes
    others: bytes


@define(eq=False)
class RequestHead:
    """
    A request without its body.  Nothing changes it after L{requestHead} made
    it, and others may share its fields.

    @ivar target: in origin-form, or C{*}; what was in absolute-form comes
        without its scheme and authority.
    @ivar http11: whether the client speaks HTTP/1.1 (else 1.0).
    @ivar idempotent: it does no harm to send it again (RFC 9110 §9.2.2).
    @ivar fields: as they were sent, but for the spelling of Content-Length and
        Transfer-Encoding: name in lower case, name as sent, value.
    @ivar host: the route name of L{authority}, or C{""} for a request of
        HTTP/1.0 without Host.
    @ivar authority: what the app gets as Host.
    @ivar length: of the body in bytes, or L{CHUNKED}.
    @ivar keep_alive: the client wants to go on with this connection.
    @ivar upgrade: the client asks for another protocol (h2c does not count,
        nor does a request with a body).
    @ivar expect_continue: the client waits for a 100 before it sends the body.
    @ivar request_id: the X-Request-ID it brought, if that is a sane one: one
        field, visible ASCII, at most 128 bytes.
    @ivar passed: the field lines that go on to the app, with those that say where
        the request was for: Host and X-Forwarded-Host.
    """

    method: bytes
    target: bytes
    http11: bool
    idempotent: bool
    fields: Sequence[Field]
    host: str
    authority: bytes
    length: int
    keep_alive: bool
    upgrade: bool
    expect_continue: bool
    request_id: bytes | None
    passed: bytes


def requestHead(data: bytes | bytearray) -> tuple[RequestHead, int] | None:
    """
    Read the head at the beginning of C{data}.

    @return: the head and how many bytes of C{data} it took, or L{None} when
        more bytes are needed.
    @raise BadRequest: this is no request to be served, or can't become one
        whatever comes next.  The connection is of no use any more.
    """
    line = _LINE.match(data)
    if line is None:
        return _withoutLine(data)
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if end < 0:
        _checkPartial(data, line.end())
        return None
    method, target, minor = line.groups()
    idempotent = method in _IDEMPOTENT
    if not idempotent and method == b"CONNECT":
        raise BadRequest(405, "CONNECT is not served here")
    raw = bytes(data[line.end() : end + 2])
    http11 = minor == b"1"
    section = (_remembered if len(raw) <= SHORT else _section)(raw, http11)
    authority, host, passed = section.authority, section.host, section.passed
    if target[0] != 0x2F:  # "/", as nearly always
        target, authority, host = _otherForm(method, target, authority, host)
        passed = _placed(authority, section.others)
    head = RequestHead(
        method,
        target,
        http11,
        idempotent,
        section.fields,
        host,
        authority,
        section.length,
        section.keep_alive,
        section.upgrade,
        section.expect_continue,
        section.request_id,
        passed,
    )
    return head, end + 4


def _withoutLine(data: bytes | bytearray) -> tuple[RequestHead, int] | None:
    """
    L{requestHead} for what does not begin with a whole request line.
    """
    blank = 0
    while blank < _MAX_BLANK and data.startswith(b"\r\n", blank):
        blank += 2
    if _LINE.match(data, blank):
        parsed = requestHead(data[blank:])
        return None if parsed is None else (parsed[0], blank + parsed[1])
    incomplete = data.find(b"\n", blank) < 0
    if not (incomplete and _PARTIAL_LINE.fullmatch(data, blank)):
        raise _badLine(data, blank)
    return None


def _checkPartial(data: bytes | bytearray, start: int) -> None:
    """
    Nobody shall wait, until a deadline, for the rest of what can't become a head.

    @param start: where its field lines begin.
    """
    if len(data) >= MAX_HEAD:
        raise BadRequest(431, "header fields too large")
    if not isPartialSection(data, start):
        raise BadRequest(400, "malformed header field")
    if data.count(b"\n", start) > MAX_FIELDS:
        raise BadRequest(431, "too many header fields")


def _badLine(data: bytes | bytearray, start: int) -> BadRequest:
    """
    What is wrong with a request line that is no good one.
    """
    if _LONG_TARGET.match(data, start):
        return BadRequest(414, "request target too long")
    if _OTHER_VERSION.match(data, start):
        return BadRequest(505, "not HTTP/1.0 or HTTP/1.1")
    return BadRequest(400, "malformed request line")


def _section(section: bytes, http11: bool) -> _Section:
    read = _rememberedLine if len(section) <= SHORT else _line
    found = [read(line) for line in section.split(b"\r\n")[:-1]]
    lines = [line for line in found if line is not None]
    if len(lines) < len(found):
        raise BadRequest(400, "malformed header field")
    if len(lines) > MAX_FIELDS:
        raise BadRequest(431, "too many header fields")
    fields, passed = [line[0] for line in lines], [line[1] for line in lines]
    decisive: dict[bytes, list[bytes]] = {}
    for lower, _, value in fields:
        if lower in _DECISIVE:
            decisive.setdefault(lower, []).append(value)
    authority, host = _host(decisive.get(b"host"), http11)
    length = _bodyLength(decisive, http11)
    connection = decisive.get(b"connection")
    options = connectionOptions(connection) if connection else ()
    upgrade = b"upgrade" in options and _upgrades(fields, http11, length)
    others = _passed(fields, passed, options, upgrade)
    return _Section(
        fields,
        host,
        authority,
        length,
        staysOpen(options, http11),
        upgrade,
        b"expect" in decisive and _expectsContinue(decisive[b"expect"], http11),
        _requestID(decisive.get(b"x-request-id", [])),
        _placed(authority, others),
        others,
    )


_remembered = lru_cache(REMEMBERED)(_section)


def _line(line: bytes) -> tuple[Field, bytes] | None:
    """
    @return: the field in a line, and the line as it goes on to the app, empty if
        it does not; L{None} if there is no field in it.
    """
    field = readField(line)
    if field is None:
        return None
    lower, name, value = field
    if lower == b"host" or isPrivate(lower):
        return field, b""
    return field, b"%b: %b\r\n" % (name, value)


_rememberedLine = lru_cache(REMEMBERED_LINES)(_line)


def _requestID(claimed: list[bytes]) -> bytes | None:
    if len(claimed) == 1 and _REQUEST_ID.fullmatch(claimed[0]):
        return claimed[0]
    return None


def _passed(
    fields: Sequence[Field], lines: Sequence[bytes], options: tuple[bytes, ...], upgrade: bool
) -> bytes:
    """
    Connection says nothing about keeping the app's connection: the version of
    HTTP does.
    """
    if not options:
        return b"".join(lines)
    named = namedByConnection(options)
    kept = [line for field, line in zip(fields, lines, strict=True) if field[0] not in named]
    if upgrade:
        kept.append(upgradeLines(fields))
    elif b"te" in options and b"trailers" in listMembers(valuesOf(fields, b"te")):
        kept.append(b"TE: trailers\r\nConnection: TE\r\n")
    return b"".join(kept)


def _placed(authority: bytes, lines: bytes) -> bytes:
    """
    The lines that go on to the app, after those that say where the request was for.
    """
    if not authority:
        return lines
    return _WHERE % (authority, authority, lines)


def withForwardedHost(head: RequestHead, host: bytes) -> RequestHead:
    """
    The same request, but that its app is told of another X-Forwarded-Host.
    """
    others = head.passed[len(_placed(head.authority, b"")) :]
    return evolve(head, passed=_WHERE % (head.authority, host, others))


def _host(values: list[bytes] | None, http11: bool) -> tuple[bytes, str]:
    """
    Host's value and the route it names (RFC 9112 §3.2).
    """
    if values is None:
        if http11:
            raise BadRequest(400, "no Host")
        return b"", ""
    if len(values) > 1:
        raise BadRequest(400, "more than one Host")
    return values[0], _route(values[0])


def _route(authority: bytes) -> str:
    route = routeName(authority.decode("latin-1"))
    if route is None:
        raise BadRequest(400, "bad host name")
    return route


def _otherForm(
    method: bytes, target: bytes, authority: bytes, host: str
) -> tuple[bytes, bytes, str]:
    """
    Target, authority and route for a target that is not in origin-form (RFC
    9112 §3.2.2 to §3.2.4).
    """
    if target == b"*" and method == b"OPTIONS":
        return target, authority, host
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise BadRequest(400, "malformed request target")
    authority, path = match.groups()
    if not path and method == b"OPTIONS":
        path = b"*"
    elif not path.startswith(b"/"):
        path = b"/" + path
    return path, authority, _route(authority)


def _bodyLength(decisive: dict[bytes, list[bytes]], http11: bool) -> int:
    """
    RFC 9112 §6.3, without any of the guesses it allows.
    """
    codings = decisive.get(b"transfer-encoding")
    lengths = decisive.get(b"content-length")
    if codings is not None:
        if lengths is not None:
            raise BadRequest(400, "both Content-Length and Transfer-Encoding")
        _checkCoding(codings, http11)
        return CHUNKED
    if lengths is None:
        return 0
    if len(lengths) > 1:
        raise BadRequest(400, "more than one Content-Length")
    length = parsedLength(lengths[0])
    if length is None:
        raise BadRequest(400, "bad Content-Length")
    return length


def _checkCoding(codings: list[bytes], http11: bool) -> None:
    if not http11:
        raise BadRequest(400, "Transfer-Encoding in HTTP/1.0")
    if len(codings) > 1:
        raise BadRequest(400, "more than one Transfer-Encoding")
    value = codings[0].lower()
    if value == b"chunked":
        return
    members = listMembers(codings)
    if not members or b"chunked" in members[:-1]:
        raise BadRequest(400, "bad Transfer-Encoding")
    raise BadRequest(501, "unknown transfer coding")


def _upgrades(fields: Sequence[Field], http11: bool, length: int) -> bool:
    """
    Whether an upgrade may be asked for.  Not with a body, though RFC 9110 §7.8
    knows such: apps that take what follows the head for the new protocol and
    those that read the body first disagree about where it ends.
    """
    return http11 and length == 0 and bool(offeredProtocols(fields))


def _expectsContinue(values: list[bytes], http11: bool) -> bool:
    """
    RFC 9110 §10.1.1: a client of HTTP/1.0 can't expect anything.
    """
    if any(value.lower() != b"100-continue" for value in values):
        raise BadRequest(417, "unknown expectation")
    return http11
