"""
Heads of HTTP/1.x requests, as clients send them (RFC 9112 §3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from attrs import define

from brxy.errors import BadRequest
from brxy.http.fields import (
    MAX_FIELDS,
    MAX_HEAD,
    SHORT,
    TOKEN,
    Field,
    isPartialSection,
)
from brxy.http.requestfields import (
    passedOnce,
    placed,
    readAuthority,
    readSection,
    rememberedSection,
)

__all__ = [
    "MAX_TARGET",
    "RequestHead",
    "asSent",
    "requestHead",
    "withForwardedHost",
    "withPassed",
    "withoutExpect",
]

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

# The line as it goes on to the app; its value can be nothing but 100-continue.
_EXPECT = re.compile(rb"(?im)^expect: [^\n]*+\n")

# RFC 9110 §9.2.2, without the methods that a proxy may have to answer itself.
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE"))
_TO_PROXIES = frozenset((b"CONNECT", b"OPTIONS", b"TRACE"))


# Not frozen: that would cost a tenth of the time that a head takes.
@define(eq=False)
class RequestHead:
    """
    A request without its body.  It does not change after L{requestHead} has made it, and
    may share its fields with others.

    @ivar target: in origin-form, or C{*}; a target in absolute-form is without its scheme
        and authority here.
    @ivar http11: whether the client speaks HTTP/1.1 (else 1.0).
    @ivar idempotent: sending it twice does no harm (RFC 9110 §9.2.2).
    @ivar fields: as they were sent, except for the spelling of Content-Length and
        Transfer-Encoding: name in lower case, name as sent, value.
    @ivar host: the route name of C{authority}; C{""} for a request of HTTP/1.0 without
        Host.
    @ivar authority: the value of Host for the app.
    @ivar length: the length of the body in bytes, or L{CHUNKED<brxy.http.fields.CHUNKED>}.
    @ivar keep_alive: the client keeps its connection for further requests.
    @ivar upgrade: the client asks for another protocol (other than h2c), behind the body
        if there is one.
    @ivar expect_continue: the client waits for a 100 before it sends the body.
    @ivar request_id: its X-Request-ID, if that is one field of visible ASCII with at most
        128 bytes.
    @ivar passed: the field lines that go on to the app, with those that name the host of
        the request: Host and X-Forwarded-Host.
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

    @return: the head and its length in bytes, or L{None} if more bytes are needed.
    @raise BadRequest: the request can't be served, or must not go on, whatever bytes come
        next.  Nothing that follows on the connection can be read.
    """
    line = _LINE.match(data)
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
    if line is None or end < 0:
        return _incomplete(data, line)
    method, target, minor = line.groups()
    idempotent = method in _IDEMPOTENT
    raw = bytes(data[line.end() : end + 2])
    http11 = minor == b"1"
    section = (rememberedSection if len(raw) <= SHORT else readSection)(raw, http11)
    if not idempotent and method in _TO_PROXIES:
        section, idempotent = passedOnce(method, section), True
    authority, host, passed = section.authority, section.host, section.passed
    if target[0] != 0x2F:  # "/", as nearly always
        target, authority, host = _otherForm(method, target, authority, host)
        passed = placed(authority, authority, section.others)
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


def _incomplete(
    data: bytes | bytearray, line: re.Match[bytes] | None
) -> tuple[RequestHead, int] | None:
    """
    L{requestHead} for bytes that are no complete head, or don't begin with a request line.
    """
    if line is None:
        return _withoutLine(data)
    _checkPartial(data, line.end())
    return None


def _withoutLine(data: bytes | bytearray) -> tuple[RequestHead, int] | None:
    """
    L{requestHead} for bytes that don't begin with a complete request line.
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
    Refuse a partial head that can't become a valid one, instead of waiting for the rest.

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
    What is wrong with an invalid request line.
    """
    if _LONG_TARGET.match(data, start):
        return BadRequest(414, "request target too long")
    if _OTHER_VERSION.match(data, start):
        return BadRequest(505, "not HTTP/1.0 or HTTP/1.1")
    return BadRequest(400, "malformed request line")


def withPassed(head: RequestHead, target: bytes, passed: bytes) -> RequestHead:
    """
    The same request with another target and other field lines for its app.
    """
    # attrs.evolve() takes six times as long.
    return RequestHead(
        head.method,
        target,
        head.http11,
        head.idempotent,
        head.fields,
        head.host,
        head.authority,
        head.length,
        head.keep_alive,
        head.upgrade,
        head.expect_continue,
        head.request_id,
        passed,
    )


def withForwardedHost(head: RequestHead, host: bytes) -> RequestHead:
    """
    The same request with another X-Forwarded-Host for its app.

    @param head: a request that has an authority.
    """
    others = head.passed[len(placed(head.authority, head.authority, b"")) :]
    return withPassed(head, head.target, placed(head.authority, host, others))


def withoutExpect(head: RequestHead) -> RequestHead:
    """
    The same request for an app without C{Expect}, whose 100 the client has got already.
    """
    return withPassed(head, head.target, _EXPECT.sub(b"", head.passed))


def asSent(head: RequestHead, *, expects: bool = True, is_last: bool = False) -> bytes:
    """
    A head as its client sent it, for another edge that reads it anew: with the authority of
    the target as its Host.

    @param expects: whether an expectation is still to be answered; else it is left out.
    @param is_last: no further request of the client is to follow.
    """
    omitted = (b"host",) if expects else (b"host", b"expect")
    lines = [b"%b %b HTTP/1.%d" % (head.method, head.target, head.http11)]
    if head.authority or head.http11:
        lines.append(b"Host: " + head.authority)
    for name, sent, value in head.fields:
        if name not in omitted:
            lines.append(b"%b: %b" % (sent, value))
    if is_last and not head.upgrade:
        lines.append(b"Connection: close")
    return b"\r\n".join((*lines, b"", b""))


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
    text, path = match.groups()
    if not path and method == b"OPTIONS":
        path = b"*"
    elif not path.startswith(b"/"):
        path = b"/" + path
    return path, *readAuthority(text)
