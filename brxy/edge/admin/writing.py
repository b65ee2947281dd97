"""
Writes the responses of the admin API.

Pure: bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from brxy.edge.admin.messages import Response, asJSON

__all__ = ["chunk", "errorResponse", "responseHead"]

# No other site may embed or read what is answered, and nothing keeps it.
_SAFE = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def errorResponse(status: int, text: str, fields: Sequence[tuple[str, str]] = ()) -> Response:
    """
    What is answered to a request that can't be served.
    """
    response = asJSON({"error": text}, status)
    if status == HTTPStatus.UNAUTHORIZED:
        fields = (*fields, ("WWW-Authenticate", 'Bearer realm="brxy"'))
    return Response(response.body, response.content_type, status, tuple(fields))


def responseHead(
    status: int,
    content_type: str,
    date: bytes,
    *,
    fields: Sequence[tuple[str, str]] = (),
    length: int | None = None,
    chunked: bool = False,
    keep: bool = False,
) -> bytes:
    """
    The head of a response.

    @param date: the line C{Date}.
    @param length: of the body; L{None}: unknown.
    @param keep: the connection is kept.
    """
    lines = [("Content-Type", content_type), *_SAFE, *fields]
    if length is not None:
        lines.append(("Content-Length", str(length)))
    if chunked:
        lines.append(("Transfer-Encoding", "chunked"))
    lines.append(("Connection", "keep-alive" if keep else "close"))
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return first.encode("ascii") + date + text.encode("latin-1", "replace") + b"\r\n"


def chunk(data: bytes) -> bytes:
    """
    A piece of a chunked body (RFC 9112 §7.1); C{b""} ends it.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)
