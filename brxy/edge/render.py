"""
Heads as they go on to the other side (RFC 9110 §7.6), and the answers that the
edge gives by itself.
"""

from __future__ import annotations

import re
from html import escape
from http import HTTPStatus

from brxy.edge.fields import (
    CHUNKED,
    HOP_BY_HOP,
    UNTIL_CLOSE,
    Field,
    isPrivate,
    listMembers,
    namedByConnection,
    offeredProtocols,
    valuesOf,
)
from brxy.edge.request import RequestHead
from brxy.edge.response import ResponseHead

__all__ = ["plainResponse", "renderRequest", "renderResponse", "requestID"]

_REQUEST_ID = re.compile(rb"[!-~]{1,128}")

_BODY_FIELDS = frozenset((b"content-length", b"transfer-encoding", b"trailer"))
_ONLY_CHUNKED = frozenset((b"transfer-encoding", b"trailer"))

_ALLOW = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"


def requestID(head: RequestHead) -> bytes | None:
    """
    The X-Request-ID that a client sent, if it is a sane one: one field, visible
    ASCII, at most 128 bytes.
    """
    claimed = valuesOf(head.fields, b"x-request-id")
    if len(claimed) == 1 and _REQUEST_ID.fullmatch(claimed[0]):
        return claimed[0]
    return None


def renderRequest(
    head: RequestHead, *, client: bytes, proto: bytes, via: bytes, request_id: bytes
) -> bytes:
    """
    A request's head as it goes to the app.  Connection says nothing about
    keeping the app's connection: the version of HTTP does.

    @param client: the client's address as text, for X-Forwarded-For.
    @param proto: C{b"http"} or C{b"https"}, for X-Forwarded-Proto.
    @param via: this proxy's member of Via, such as C{b"1.1 brxy"}.
    @param request_id: for requests that bring no L{requestID}.
    """
    named = namedByConnection(head.options)
    version = b" HTTP/1.1" if head.http11 else b" HTTP/1.0"
    lines = [head.method + b" " + head.target + version]
    if head.authority:
        lines += (b"Host: " + head.authority, b"X-Forwarded-Host: " + head.authority)
    lines += [
        name + b": " + value
        for lower, name, value in head.fields
        if not (isPrivate(lower) or lower in named or lower == b"host")
    ]
    lines += (
        b"X-Forwarded-For: " + client,
        b"X-Forwarded-Proto: " + proto,
        b"X-Request-ID: " + (requestID(head) or request_id),
        b"Via: " + via,
    )
    if head.options:
        lines += _requestConnection(head)
    lines += (b"", b"")
    return b"\r\n".join(lines)


def _requestConnection(head: RequestHead) -> tuple[bytes, ...]:
    """
    The fields for the next hop that are ours to send again.
    """
    if head.upgrade:
        return _upgradeLines(head.fields)
    if b"te" in head.options and b"trailers" in listMembers(valuesOf(head.fields, b"te")):
        return b"TE: trailers", b"Connection: TE"
    return ()


def _upgradeLines(fields: list[Field]) -> tuple[bytes, ...]:
    return b"Upgrade: " + b", ".join(offeredProtocols(fields)), b"Connection: upgrade"


def renderResponse(
    head: ResponseHead, *, http11_client: bool, keep_alive: bool, via: bytes
) -> bytes:
    """
    A response's head as it goes to the client.

    A client of HTTP/1.0 gets no interim response (nothing is returned for
    one), and a chunked body without its chunks.  Where only the end of the
    connection ends the body, the head says so whatever C{keep_alive} is.

    @param keep_alive: the client's connection shall be used again.
    @param via: this proxy's member of Via, such as C{b"1.1 brxy"}.
    """
    interim = head.status < 200
    if interim and not http11_client:
        return b""
    dropped = HOP_BY_HOP | namedByConnection(head.options)
    if interim or head.status == 204:
        dropped |= _BODY_FIELDS
    elif not http11_client:
        dropped |= _ONLY_CHUNKED
    lines = [b"HTTP/1.1 %d %b" % (head.status, head.reason)]
    lines += [name + b": " + value for lower, name, value in head.fields if lower not in dropped]
    lines.append(b"Via: " + via)
    lines += _responseConnection(head, http11_client, keep_alive)
    lines += (b"", b"")
    return b"\r\n".join(lines)


def _responseConnection(
    head: ResponseHead, http11_client: bool, keep_alive: bool
) -> tuple[bytes, ...]:
    if head.upgrade:
        return _upgradeLines(head.fields)
    if head.status < 200:
        return ()
    if not keep_alive or _endsByClose(head, http11_client):
        return (b"Connection: close",)
    return () if http11_client else (b"Connection: keep-alive",)


def _endsByClose(head: ResponseHead, http11_client: bool) -> bool:
    """
    Whether only the end of the connection tells the client where the body ends.
    """
    return head.length == UNTIL_CLOSE or (head.length == CHUNKED and not http11_client)


def plainResponse(
    status: int,
    text: str,
    *,
    keep_alive: bool,
    retry_after: int | None = None,
    head_only: bool = False,
) -> bytes:
    """
    An answer of the edge itself, whole.

    @param text: one line for people; what is not printable in it, and what
        means something in HTML, is escaped.
    @param retry_after: seconds.
    @param head_only: it answers a HEAD.
    """
    body = _harmless(text).encode("utf-8") + b"\n"
    parts = [
        b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode("ascii")),
        b"Content-Type: text/plain; charset=utf-8\r\n",
        b"Content-Length: %d\r\n" % len(body),
        b"Cache-Control: no-store\r\n",
        b"X-Content-Type-Options: nosniff\r\n",
    ]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        parts.append(_ALLOW)  # RFC 9110 §15.5.6
    if retry_after is not None:
        parts.append(b"Retry-After: %d\r\n" % retry_after)
    # A client of HTTP/1.0 must be told of both, and nobody minds.
    parts.append(b"Connection: %b\r\n\r\n" % (b"keep-alive" if keep_alive else b"close"))
    if not head_only:
        parts.append(body)
    return b"".join(parts)


def _harmless(text: str) -> str:
    printable = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return escape("".join(printable), quote=False)
