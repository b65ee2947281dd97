"""
Field lines of HTTP/1.x messages (RFC 9112 §5), and which of them a proxy does not pass on
(RFC 9110 §7.6.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = [
    "CHUNKED",
    "HOP_BY_HOP",
    "MAX_FIELDS",
    "MAX_HEAD",
    "REMEMBERED",
    "REMEMBERED_LINES",
    "SHORT",
    "TOKEN",
    "UNTIL_CLOSE",
    "VALUE",
    "Field",
    "connectionOptions",
    "isPartialSection",
    "isPrivate",
    "isTrailerAllowed",
    "listMembers",
    "namedByConnection",
    "offeredProtocols",
    "parsedLength",
    "readField",
    "splitFields",
    "staysOpen",
    "upgradeLines",
    "valuesOf",
    "withoutEmptyPort",
]

# Lengths of bodies that are no number of bytes.
CHUNKED = -1
UNTIL_CLOSE = -2

# The maximum bytes of a head with its empty line, and of field lines in it, for requests
# and responses alike: well above what browsers and apps send, and little enough to be held
# for each of many clients.
MAX_HEAD = 32 * 1024
MAX_FIELDS = 100

# The name in lower case, the name as it was sent, the value without surrounding white space.
Field = tuple[bytes, bytes, bytes]

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
# Visible ASCII, blanks and obs-text: no control bytes except tab.
VALUE = rb"[\t\x20-\x7e\x80-\xff]"

_LINE = rb"%b++:%b*+\r\n" % (TOKEN, VALUE)
# Not "*+" behind a group: the Python 3.11.2 of Debian 12 continues at the wrong place then.
# No two alternatives begin alike, so that nothing is tried twice.
_PARTIAL_SECTION = re.compile(rb"(?:%b)*(?:\r|%b++(?::%b*+\r?)?)?" % (_LINE, TOKEN, VALUE))
# The same with blanks before colons.
_PARTIAL_LOOSE = re.compile(
    rb"(?:%b++[ \t]*+:%b*+\r\n)*(?:\r|%b++[ \t]*+(?::%b*+\r?)?)?" % (TOKEN, VALUE, TOKEN, VALUE)
)
_MAX_LENGTH = 2**63 - 1
_MAX_DIGITS = 19
_FIELD = re.compile(rb"(%b++):[ \t]*+(%b*+)" % (TOKEN, VALUE))

# Fields that frame or route a message: passed on even if Connection names them, dropped
# if they are spelled with an underscore, and not allowed as trailers.
_FRAMING = frozenset(
    (b"content-length", b"expect", b"host", b"transfer-encoding", b"trailer", b"via")
)

_EMPTY_PORT = re.compile(rb"([^:]++|\[[^]]*+\]):")

_NONE: frozenset[bytes] = frozenset()

# Fields for the next hop only, whether Connection names them or not.  Those of a proxy's
# authentication are not among them: this one requests none, and the app behind it may (RFC
# 9110 §11.7.2).
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"upgrade",
    )
)

# Fields that only a proxy may set; Proxy because CGI turns it into HTTP_PROXY.
_FORWARDING = frozenset((b"forwarded", b"proxy", b"x-real-ip", b"x-request-id"))
_FORWARDING_PREFIX = b"x-forwarded-"

# RFC 9110 §6.5.1: fields that frame, route, authenticate or modify the request, or say how
# to read the content, are not allowed in a trailer section.
_NOT_IN_TRAILERS = (
    _FRAMING
    | HOP_BY_HOP
    | _FORWARDING
    | frozenset(
        (
            b"age",
            b"authorization",
            b"cache-control",
            b"content-encoding",
            b"content-range",
            b"content-type",
            b"cookie",
            b"location",
            b"max-forwards",
            b"pragma",
            b"proxy-authenticate",
            b"proxy-authentication-info",
            b"proxy-authorization",
            b"range",
            b"set-cookie",
            b"vary",
            b"www-authenticate",
        )
    )
)


# A client sends nearly the same fields with each of its requests, and so does an app under
# load within one second.  Reading the same bytes again would be half of the work for an
# exchange.  So this many sections of fields of at most SHORT bytes are remembered, of
# requests and of responses each, and this many lines for sections that differ in some.
REMEMBERED = 256
REMEMBERED_LINES = 1024
SHORT = 2048


def isPartialSection(data: bytes | bytearray, start: int, loose: bool = False) -> bool:
    """
    Whether the bytes from C{start} on can still become field lines and an empty line when
    more bytes come.

    @param loose: there may be blanks before colons.
    """
    pattern = _PARTIAL_LOOSE if loose else _PARTIAL_SECTION
    return pattern.fullmatch(data, start) is not None


def readField(line: bytes) -> Field | None:
    """
    The field in a line without its end.  Content-Length and Transfer-Encoding get one
    spelling, so that every parser behind us reads them alike.

    @return: L{None} for a malformed field: one that is folded, has a blank before the
        colon, or has control bytes.
    """
    match = _FIELD.fullmatch(line)
    if match is None:
        return None
    name, value = match.groups()
    lower = name.lower()
    value = value.rstrip(b" \t")
    if lower == b"content-length":
        length = parsedLength(value)
        value = value if length is None else b"%d" % length
    elif lower == b"transfer-encoding" and value.lower() == b"chunked":
        value = b"chunked"
    return lower, name, value


def splitFields(section: bytes) -> list[Field] | None:
    """
    The fields of whole lines.

    @return: L{None} unless all of them are well-formed.
    """
    fields = []
    for line in section.split(b"\r\n")[:-1]:
        field = readField(line)
        if field is None:
            return None
        fields.append(field)
    return fields


def valuesOf(fields: Sequence[Field], name: bytes) -> list[bytes]:
    """
    The values of all fields of one name, in order.

    @param name: in lower case.
    """
    return [value for lower, _, value in fields if lower == name]


def listMembers(values: list[bytes]) -> list[bytes]:
    """
    The members of a list-valued field (RFC 9110 §5.6.1), in lower case.
    """
    members = (m.strip(b" \t") for value in values for m in value.lower().split(b","))
    return [member for member in members if member]


def connectionOptions(values: list[bytes]) -> tuple[bytes, ...]:
    """
    The options of all C{Connection} fields together, in lower case.
    """
    return _options(b",".join(values))


# Nearly always "keep-alive" or "close"; few, because each may be as long as a head.
@lru_cache(maxsize=64)
def _options(value: bytes) -> tuple[bytes, ...]:
    return tuple(listMembers([value]))


def staysOpen(options: tuple[bytes, ...], http11: bool) -> bool:
    """
    Whether the sender of a head keeps its connection (RFC 9112 §9.3).
    """
    if b"close" in options:
        return False
    return http11 or b"keep-alive" in options


# Nearly always none, "keep-alive" or "close".
@lru_cache(maxsize=64)
def namedByConnection(options: tuple[bytes, ...]) -> frozenset[bytes]:
    """
    The names of fields that C{Connection} reserves for this hop, except for those that
    frame or route the message: C{Host} or C{Content-Length} can't be removed that way.
    """
    return frozenset(options) - _FRAMING if options else _NONE


def withoutEmptyPort(authority: bytes) -> bytes:
    """
    An authority without the colon of an empty port, which RFC 3986 §3.2.3 allows and some
    apps refuse.
    """
    match = _EMPTY_PORT.fullmatch(authority)
    return match[1] if match else authority


def parsedLength(value: bytes) -> int | None:
    """
    The number of bytes that a Content-Length states; L{None} for a malformed one.
    """
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        return None
    length = int(value)
    return length if length <= _MAX_LENGTH else None


def offeredProtocols(fields: Sequence[Field]) -> list[bytes]:
    """
    The protocols that C{Upgrade} offers, without h2c: this proxy could not check what
    passes in HTTP/2.
    """
    protocols = (
        p.strip(b" \t") for value in valuesOf(fields, b"upgrade") for p in value.split(b",")
    )
    return [p for p in protocols if p and p.lower() != b"h2c"]


def upgradeLines(fields: Sequence[Field]) -> bytes:
    """
    The field lines of an upgrade as they are written for the next hop.
    """
    return b"Upgrade: %b\r\nConnection: upgrade\r\n" % b", ".join(offeredProtocols(fields))


# Nearly all requests use the same few dozen names.
@lru_cache(maxsize=256)
def isPrivate(lower: bytes) -> bool:
    """
    Whether a field of a request is never passed on as the client sent it: it is for this
    hop, or only a proxy may set it, or CGI and WSGI would take its underscore for the
    hyphen of such a field or of one that frames (C{Content_Length}).

    @param lower: its name in lower case.
    """
    name = lower.replace(b"_", b"-")
    if name in HOP_BY_HOP or name in _FORWARDING or name.startswith(_FORWARDING_PREFIX):
        return True
    return name != lower and name in _FRAMING


def isTrailerAllowed(lower: bytes) -> bool:
    """
    Whether a field may be passed on in a trailer section.

    @param lower: its name in lower case.
    """
    name = lower.replace(b"_", b"-")
    return name not in _NOT_IN_TRAILERS and not name.startswith(_FORWARDING_PREFIX)
