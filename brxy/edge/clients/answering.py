"""
Answers as they are written to HTTP/1 clients, and what may answer instead of an app.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import frozen

from brxy.edge.exchanges.refusals import Refusal
from brxy.http.messages import (
    RequestHead,
    ResponseHead,
    plainResponse,
    renderResponse,
    renderSecured,
)

__all__ = ["VIA", "Answers", "Interceptor", "Reply"]

VIA = b"1.1 brxy"


@frozen
class Reply:
    """
    An answer to a request instead of an app's.

    @ivar status: the HTTP status.
    @ivar text: one line for people.
    @ivar fields: further field lines, each with its CRLF.
    """

    status: int
    text: str
    fields: bytes = b""


#: What may answer a request instead of its app: takes the head of the request and the
#: scheme by which the client connected (C{b"http"} or C{b"https"}), and returns a reply,
#: or L{None} to leave the request to the next interceptor or to the app.
Interceptor = Callable[[RequestHead, bytes], Reply | None]


class Answers:
    """
    Writes answers to the HTTP/1 clients of one listener.

    @ivar render: writes the head of an app's response: takes the head, whether the
        client speaks HTTP/1.1, whether its connection is kept, and L{VIA}.
    """

    def __init__(self, hsts: int | None = None) -> None:
        """
        @param hsts: the seconds for which browsers must use https only (RFC 6797);
            L{None} for a listener that does not say so.
        """
        self._added = b""
        self.render: Callable[[ResponseHead, bool, bool, bytes], bytes] = renderResponse
        if hsts is not None:
            self._added = b"Strict-Transport-Security: max-age=%d\r\n" % hsts
            self.render = partial(renderSecured, self._added)

    def refuse(self, refusal: Refusal, head: RequestHead | None, keep: bool) -> bytes:
        """
        @param head: the request; L{None} if its head is not complete.
        @param keep: the client's connection is kept.
        @return: a refusal, as it is written.
        """
        return plainResponse(
            refusal.status,
            refusal.text,
            keep_alive=keep,
            retry_after=refusal.retry_after,
            head_only=head is not None and head.method == b"HEAD",
            added=self._added,
        )

    def reply(self, reply: Reply, head: RequestHead, keep: bool) -> bytes:
        """
        @param head: the request.
        @param keep: the client's connection is kept.
        @return: a reply, as it is written.
        """
        return plainResponse(
            reply.status,
            reply.text,
            keep_alive=keep,
            head_only=head.method == b"HEAD",
            added=self._added + reply.fields,
        )
