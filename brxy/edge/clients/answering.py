"""
Answers as they are written to HTTP/1 clients, and what may answer instead of an app.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from functools import partial
from time import time

from attrs import frozen

from brxy.edge.exchanges.refusals import Refusal
from brxy.http.messages import (
    RequestHead,
    ResponseHead,
    plainResponse,
    renderResponse,
    renderSecured,
)

__all__ = ["DATE", "VIA", "Answers", "DateLine", "HealthCheck", "Interceptor", "Reply"]

VIA = b"1.1 brxy"


class DateLine:
    """
    The header line C{Date} with the present time, made at most once a second.
    """

    def __init__(self, seconds: Callable[[], float] = time) -> None:
        """
        @param seconds: returns the time of day, in seconds since 1970.
        """
        self._seconds = seconds
        self._second = -1
        self._line = b""

    def __call__(self) -> bytes:
        """
        @return: the line, with its CRLF.
        """
        second = int(self._seconds())
        if second != self._second:
            self._second = second
            self._line = b"Date: %b\r\n" % formatdate(second, usegmt=True).encode("ascii")
        return self._line


DATE = DateLine()


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


class HealthCheck:
    """
    An L{Interceptor} that answers one path itself, on every host.  So a load balancer can
    check the edge without starting an app.
    """

    def __init__(self, path: str, leaving: Callable[[], bool]) -> None:
        """
        @param leaving: returns whether the edge takes no more clients.
        """
        self._path = path.encode("ascii")
        self._leaving = leaving

    def __call__(self, head: RequestHead, scheme: bytes) -> Reply | None:
        """
        @return: the answer to a check, or L{None}.
        """
        if head.target.partition(b"?")[0] != self._path:
            return None
        return Reply(503, "draining") if self._leaving() else Reply(200, "ok")


Render = Callable[[ResponseHead, bool, bool, bytes, Callable[[], bytes]], bytes]


class Answers:
    """
    Writes answers to the HTTP/1 clients of one listener.

    @ivar render: writes the head of an app's response: takes the head, whether the
        client speaks HTTP/1.1, whether its connection is kept, L{VIA} and L{DATE}.
    """

    def __init__(self, hsts: int | None = None) -> None:
        """
        @param hsts: the seconds for which browsers must use https only (RFC 6797);
            L{None} for a listener that does not say so.
        """
        self._added = b""
        self.render: Render = renderResponse
        if hsts is not None:
            self._added = b"Strict-Transport-Security: max-age=%d\r\n" % hsts
            self.render = partial(renderSecured, self._added)

    def refuse(
        self,
        refusal: Refusal,
        head: RequestHead | None,
        keep: bool,
        added: bytes = b"",
        page: bytes | None = None,
    ) -> bytes:
        """
        @param head: the request; L{None} if its head is not complete.
        @param keep: the client's connection is kept.
        @param added: further field lines, each with its CRLF.
        @param page: see L{plainResponse}.
        @return: a refusal, as it is written.
        """
        return plainResponse(
            refusal.status,
            refusal.text,
            keep_alive=keep,
            retry_after=refusal.retry_after,
            head_only=head is not None and head.method == b"HEAD",
            added=self._added + DATE() + added,
            page=page,
        )

    def reply(self, reply: Reply, head: RequestHead, keep: bool, added: bytes = b"") -> bytes:
        """
        @param head: the request.
        @param keep: the client's connection is kept.
        @param added: further field lines, each with its CRLF.
        @return: a reply, as it is written.
        """
        return plainResponse(
            reply.status,
            reply.text,
            keep_alive=keep,
            head_only=head.method == b"HEAD",
            added=self._added + DATE() + reply.fields + added,
        )
