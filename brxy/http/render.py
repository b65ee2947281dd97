"""
Heads as a proxy writes them for the other side (RFC 9110 §7.6), and its own answers.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from http import HTTPStatus

from brxy.http.fields import CHUNKED, UNTIL_CLOSE, upgradeLines
from brxy.http.request import RequestHead
from brxy.http.response import ResponseHead, passedFields
from brxy.values.text import printable

__all__ = [
    "forwardedLines",
    "plainResponse",
    "renderOldRequest",
    "renderRequest",
    "renderResponse",
    "renderSecured",
]

_ONLY_CHUNKED = frozenset((b"transfer-encoding", b"trailer"))

_HSTS = b"\r\nstrict-transport-security:"

# The statuses of the edge's own answers that say which methods it passes on (RFC 9110
# §15.5.6 and §9.3.7).
_WITH_ALLOW = frozenset((HTTPStatus.OK, HTTPStatus.METHOD_NOT_ALLOWED))
_ALLOW = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"


def forwardedLines(client: bytes, proto: bytes, via: bytes) -> bytes:
    """
    The field lines that describe a client to an app.

    @param client: its address, with those of the proxies before it, as text.
    @param proto: C{b"http"} or C{b"https"}.
    @param via: this proxy's member of Via, such as C{b"1.1 brxy"}.
    """
    return b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nVia: %b\r\n" % (client, proto, via)


def renderRequest(head: RequestHead, forwarded: bytes, request_id: bytes) -> bytes:
    """
    The head of a request of HTTP/1.1 as it is written to an app.

    @param forwarded: the L{forwardedLines} of its client.
    @param request_id: its X-Request-ID, if it has none of its own.
    """
    return b"".join(
        (
            head.method,
            b" ",
            head.target,
            b" HTTP/1.1\r\n",
            head.passed,
            forwarded,
            b"X-Request-ID: ",
            head.request_id or request_id,
            b"\r\n\r\n",
        )
    )


def renderOldRequest(head: RequestHead, forwarded: bytes, request_id: bytes, host: str) -> bytes:
    """
    The head of a request of HTTP/1.0 as it is written to an app: in HTTP/1.1, because a
    proxy speaks its own version (RFC 9112 §2.3), and Via names the one that it received.

    @param host: the Host of a request without one, which HTTP/1.1 requires.
    """
    if not head.authority:
        forwarded = b"Host: %b\r\n%b" % (host.encode("ascii"), forwarded)
    return renderRequest(head, forwarded.replace(b"\r\nVia: 1.1 ", b"\r\nVia: 1.0 "), request_id)


def renderResponse(
    head: ResponseHead,
    http11_client: bool,
    keep_alive: bool,
    via: bytes,
    date: Callable[[], bytes],
) -> bytes:
    """
    The head of a response as it is written to a client.

    For a client of HTTP/1.0, an informational response is empty, and a chunked body goes
    without its chunks.  If only the end of the connection ends the body, the head says
    so whatever C{keep_alive} is.

    @param keep_alive: the client's connection is kept.
    @param via: this proxy's member of Via, such as C{b"1.1 brxy"}; always the same.
    @param date: returns the line of a Date of now, for a final response without one (RFC
        9110 §6.6.1).
    """
    if http11_client and keep_alive:
        # Apps send the same head many times, and the head remembers how it is written.
        if not head.usual:
            head.usual = _response(head, True, True, via)
        text = head.usual
    elif head.status < 200 and not http11_client:
        return b""
    else:
        text = _response(head, http11_client, keep_alive, via)
    return text if head.dated else _dated(text, date)


def _dated(text: bytes, date: Callable[[], bytes]) -> bytes:
    line, _, rest = text.partition(b"\r\n")
    return b"%b\r\n%b%b" % (line, date(), rest)


def renderSecured(
    added: bytes,
    head: ResponseHead,
    http11_client: bool,
    keep_alive: bool,
    via: bytes,
    date: Callable[[], bytes],
) -> bytes:
    """
    L{renderResponse} with Strict-Transport-Security (RFC 6797 §7.1), unless the app has
    sent it.

    @param added: the line that is added.
    """
    text = renderResponse(head, http11_client, keep_alive, via, date)
    if head.status < 200 or _HSTS in text.lower():
        return text
    return text[:-2] + added + b"\r\n"


def _response(head: ResponseHead, http11_client: bool, keep_alive: bool, via: bytes) -> bytes:
    return b"".join(
        (
            b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason),
            head.passed if http11_client else _withoutChunks(head),
            b"Via: ",
            via if head.http11 else via.replace(b"1.1 ", b"1.0 ", 1),
            b"\r\n",
            _responseConnection(head, http11_client, keep_alive),
            b"\r\n",
        )
    )


def _withoutChunks(head: ResponseHead) -> bytes:
    fields = [field for field in head.fields if field[0] not in _ONLY_CHUNKED]
    return passedFields(head.status, fields, head.options)


def _responseConnection(head: ResponseHead, http11_client: bool, keep_alive: bool) -> bytes:
    if head.upgrade:
        return upgradeLines(head.fields)
    if head.status < 200:
        return b""
    # Only the end of the connection ends the body.
    endless = head.length == UNTIL_CLOSE or (head.length == CHUNKED and not http11_client)
    if endless or not keep_alive:
        return b"Connection: close\r\n"
    return b"" if http11_client else b"Connection: keep-alive\r\n"


def plainResponse(
    status: int,
    text: str,
    *,
    keep_alive: bool,
    retry_after: int | None = None,
    head_only: bool = False,
    added: bytes = b"",
    page: bytes | None = None,
) -> bytes:
    """
    An answer of the edge's own, complete with its body.

    @param text: one line for people.  Characters that are not printable, or that mean
        something in HTML, are escaped.
    @param retry_after: the seconds for Retry-After; L{None} for no such field.
    @param head_only: it answers a HEAD.
    @param added: further field lines.
    @param page: HTML that takes the place of the text; L{None} for none.
    """
    body = escape(printable(text), quote=False).encode("utf-8") + b"\n" if page is None else page
    parts = [
        b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode("ascii")),
        b"Content-Type: text/%b; charset=utf-8\r\n" % (b"plain" if page is None else b"html"),
        b"Content-Length: %d\r\n" % len(body),
        b"Cache-Control: no-store\r\n",
        b"X-Content-Type-Options: nosniff\r\n",
    ]
    if status in _WITH_ALLOW:
        parts.append(_ALLOW)
    if retry_after is not None:
        parts.append(b"Retry-After: %d\r\n" % retry_after)
    parts.append(added)
    # Clients of HTTP/1.0 need either, and other clients accept both.
    parts.append(b"Connection: %b\r\n\r\n" % (b"keep-alive" if keep_alive else b"close"))
    if not head_only:
        parts.append(body)
    return b"".join(parts)
