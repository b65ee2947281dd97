"""
Short ways to make heads, for tests.
"""

from __future__ import annotations

from brxy.errors import BadRequest
from brxy.http.messages import (
    RequestHead,
    ResponseHead,
    forwardedLines,
    renderOldRequest,
    renderRequest,
    renderResponse,
    requestHead,
    responseHead,
)

__all__ = [
    "DATE",
    "POST",
    "answer",
    "canonical",
    "forwarded",
    "get",
    "lines",
    "outcome",
    "outcomeByBytes",
    "rendered",
    "request",
    "response",
]

#: The line that a response without a Date gets.
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

#: The beginning of a request that may have a body.
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"


def request(data: bytes) -> RequestHead:
    """
    @return: the head at the beginning of C{data}.
    """
    parsed = requestHead(data)
    assert parsed is not None, "the head is incomplete"
    return parsed[0]


def get(fields: bytes = b"", version: bytes = b"1.1") -> RequestHead:
    """
    @return: the head of a GET with a Host and some more fields.
    """
    return request(b"GET / HTTP/%b\r\nHost: a\r\n%b\r\n" % (version, fields))


def response(data: bytes, method: bytes = b"GET") -> ResponseHead:
    """
    @return: the response head at the beginning of C{data}.
    """
    parsed = responseHead(data, method)
    assert parsed is not None, "the head is incomplete"
    return parsed[0]


def rendered(head: ResponseHead, http11: bool = True, keep_alive: bool = True) -> bytes:
    """
    @return: a response's head as it is sent to a client, at a certain time.
    """
    return renderResponse(head, http11, keep_alive, b"1.1 brxy", lambda: DATE)


def answer(fields: bytes, status: bytes = b"200", version: bytes = b"1.1") -> ResponseHead:
    """
    @return: the head of an answer to a GET.
    """
    return response(b"HTTP/%b %b X\r\n%b\r\n" % (version, status, fields))


def forwarded(head: RequestHead) -> bytes:
    """
    @return: a request's head as it is sent to the app.
    """
    lines = forwardedLines(b"192.0.2.1", b"http", b"1.1 brxy")
    if head.http11:
        return renderRequest(head, lines, b"made")
    return renderOldRequest(head, lines, b"made", "route.example")


def lines(head: bytes) -> list[bytes]:
    """
    @return: the lines of a rendered head, without the empty one that ends it.
    """
    assert head.endswith(b"\r\n\r\n")
    return head[:-4].split(b"\r\n")


def outcome(data: bytes) -> tuple[int, int]:
    """
    @return: the status that a request's head is refused with and 0, or 0 and
        the length of the head (-1 when it is incomplete).
    """
    try:
        parsed = requestHead(data)
    except BadRequest as error:
        return error.status, 0
    return 0, -1 if parsed is None else parsed[1]


def outcomeByBytes(data: bytes) -> tuple[int, int]:
    """
    @return: L{outcome} for bytes that arrive one by one; longer heads arrive
        in larger pieces.
    """
    result = (0, -1)
    step = 1 + len(data) // 2000
    for end in range(step, len(data) + step, step):
        result = outcome(data[:end])
        if result != (0, -1):
            break
    return result


def canonical(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """
    A field as we pass it on: its name in lower case, Content-Length without leading zeros,
    Transfer-Encoding in lower case.
    """
    name, value = name.lower(), value.rstrip(b" \t")
    if name == b"content-length" and value.isdigit():
        value = b"%d" % int(value)
    elif name == b"transfer-encoding":
        value = value.lower()
    return name, value
