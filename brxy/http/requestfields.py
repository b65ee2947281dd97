"""
The field lines of HTTP/1.x requests: what they say about the request, and which of them go
on to the app (RFC 9110 §7.6, RFC 9112 §6).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from attrs import define, evolve

from brxy.errors import BadRequest, FinalRecipient
from brxy.http.fields import (
    CHUNKED,
    MAX_FIELDS,
    REMEMBERED,
    REMEMBERED_LINES,
    SHORT,
    Field,
    connectionOptions,
    isPrivate,
    listMembers,
    namedByConnection,
    offeredProtocols,
    parsedLength,
    readField,
    staysOpen,
    upgradeLines,
    valuesOf,
    withoutEmptyPort,
)
from brxy.values.routename import routeName

__all__ = [
    "Section",
    "passedOnce",
    "placed",
    "readAuthority",
    "readSection",
    "rememberedSection",
]

# The fields that decide something; the others only pass through.
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

# The lines that name the host of a request, before the other lines that go on.
_HOST_LINES = b"Host: %b\r\nX-Forwarded-Host: %b\r\n%b"

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")

_MAX_FORWARDS = re.compile(rb"(?im)^(max-forwards: )[0-9]++\r$")
# No larger value is passed on, so that every app can read it.
_MOST_FORWARDS = 999_999_999


# Not frozen: that would cost a tenth of the time that a head takes.
@define(eq=False)
class Section:
    """
    What the field lines of a request say, see L{brxy.http.request.RequestHead}.

    @ivar others: C{passed} without the lines that name the host.
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


def readSection(section: bytes, http11: bool) -> Section:
    """
    Read the field lines of a request.

    @param section: the lines, without the empty one.
    @raise BadRequest: the request can't be served.
    """
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
    upgrade = http11 and b"upgrade" in options and bool(offeredProtocols(fields))
    expects = b"expect" in decisive and _expectsContinue(decisive[b"expect"])
    waits = expects and http11 and length != 0
    others = _passed(fields, passed, options, upgrade, http11, expects and not waits)
    return Section(
        fields,
        host,
        authority,
        length,
        staysOpen(options, http11),
        upgrade,
        waits,
        _requestID(decisive.get(b"x-request-id", [])),
        placed(authority, authority, others),
        others,
    )


#: L{readSection} for sections of at most L{SHORT} bytes.
rememberedSection = lru_cache(REMEMBERED)(readSection)


def passedOnce(method: bytes, section: Section) -> Section:
    """
    What goes on of the fields of a request that proxies may have to answer themselves: its
    Max-Forwards is one less (RFC 9110 §7.6.2).

    @param method: CONNECT, OPTIONS or TRACE.
    @raise BadRequest: nothing goes on.
    """
    if method == b"CONNECT":
        raise BadRequest(405, "CONNECT is not served here")
    if method == b"TRACE" and section.length:
        raise BadRequest(400, "a TRACE with a body")
    values = valuesOf(section.fields, b"max-forwards")
    if not values:
        return section
    if len(values) > 1 or not values[0].isdigit():
        raise BadRequest(400, "bad Max-Forwards")
    digits = values[0].lstrip(b"0")
    if not digits:
        if method == b"TRACE":
            # An answer would have to repeat the request, and with it what browsers keep from
            # scripts.
            raise BadRequest(405, "TRACE is not answered here")
        raise FinalRecipient(200, "Max-Forwards is 0: this is the answer of the edge")
    left = _MOST_FORWARDS if len(digits) > len(str(_MOST_FORWARDS)) else int(digits) - 1
    others = _MAX_FORWARDS.sub(rb"\g<1>%d\r" % left, section.others)
    passed = placed(section.authority, section.authority, others)
    return evolve(section, passed=passed, others=others)


def _line(line: bytes) -> tuple[Field, bytes] | None:
    """
    @return: the field in a line, and the line as it goes on to the app, empty if it does
        not go on; L{None} if the line is no well-formed field.
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
    fields: Sequence[Field],
    lines: Sequence[bytes],
    options: tuple[bytes, ...],
    upgrade: bool,
    http11: bool,
    vain: bool,
) -> bytes:
    """
    @param vain: it expects a 100 that its client can't wait for: one of HTTP/1.0, or one
        without a body (RFC 9110 §10.1.1).
    @return: the lines that go on to the app, without those that name the host.
        Connection is among them for upgrades and trailers only: the version of HTTP says
        that the app's connection is kept.
    """
    if not options and not vain:
        return b"".join(lines)
    named = namedByConnection(options)
    if vain:
        named |= {b"expect"}
    kept = [line for field, line in zip(fields, lines, strict=True) if field[0] not in named]
    if upgrade:
        kept.append(upgradeLines(fields))
    elif http11 and b"te" in options and b"trailers" in listMembers(valuesOf(fields, b"te")):
        kept.append(b"TE: trailers\r\nConnection: TE\r\n")
    return b"".join(kept)


def placed(authority: bytes, forwarded: bytes, others: bytes) -> bytes:
    """
    The lines that go on to the app, with those that name the host of the request.

    @param authority: the value of Host; C{b""} for a request without one.
    @param forwarded: the value of X-Forwarded-Host.
    """
    if not authority:
        return others
    return _HOST_LINES % (authority, forwarded, others)


def _host(values: list[bytes] | None, http11: bool) -> tuple[bytes, str]:
    """
    The value of Host, and its route name (RFC 9112 §3.2).
    """
    if values is None:
        if http11:
            raise BadRequest(400, "no Host")
        return b"", ""
    if len(values) > 1:
        raise BadRequest(400, "more than one Host")
    return readAuthority(values[0])


def readAuthority(text: bytes) -> tuple[bytes, str]:
    """
    The authority that a request names, as the app gets it, and its route name.

    @raise BadRequest: it is no valid host.
    """
    authority = withoutEmptyPort(text)
    route = routeName(authority.decode("latin-1"))
    if route is None:
        raise BadRequest(400, "bad host name")
    return authority, route


def _bodyLength(decisive: dict[bytes, list[bytes]], http11: bool) -> int:
    """
    The length of the body (RFC 9112 §6.3), without any of the guesses that the RFC allows.
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


def _expectsContinue(values: list[bytes]) -> bool:
    """
    Whether a request expects a 100 (RFC 9110 §10.1.1).
    """
    members = listMembers(values)
    if any(member != b"100-continue" for member in members):
        raise BadRequest(417, "unknown expectation")
    return bool(members)
