"""
Requests of the admin API as its handlers get them, and what handlers return.

Pure: values.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import field, frozen

__all__ = ["Answer", "Handler", "Request", "Response", "Sink", "Stream", "asJSON"]


@frozen
class Request:
    """
    One request.

    @ivar path: without the query.
    @ivar parts: what stands in the path where the pattern of its handler has C{{name}}.
    @ivar query: the parameters behind the path; of one that is repeated, the last value.
    @ivar fields: the values of its fields, by their names in lower case.
    @ivar body: the JSON object in its body; empty without a body.
    @ivar is_local: it came through a Unix socket, to which only the edge's user can connect.
    """

    method: str
    path: str
    parts: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    fields: Mapping[str, str] = field(factory=dict)
    body: Mapping[str, Any] = field(factory=dict)
    is_local: bool = False


@frozen
class Response:
    """
    A complete response.

    @ivar fields: further fields.
    """

    body: bytes
    content_type: str
    status: int = 200
    fields: Sequence[tuple[str, str]] = ()


class Sink(Protocol):
    """
    Where a L{Stream} writes.
    """

    @property
    def congested(self) -> bool:
        """
        The client has not taken what was written; more should wait until L{Stream.resume}.
        """

    def write(self, data: bytes) -> None:
        """
        Send a piece of the body.
        """

    def end(self) -> None:
        """
        The body is complete.
        """


class Stream(Protocol):
    """
    A response without a length, whose body comes piece by piece.
    """

    content_type: str

    def start(self, sink: Sink) -> None:
        """
        The head is sent.
        """

    def resume(self) -> None:
        """
        The client has taken what was written.
        """

    def stop(self) -> None:
        """
        The client has gone.  Not called after C{sink.end()}.
        """


#: What a handler returns.  The Deferred of an awaitable is cancelled if the client goes.
Answer = Response | Stream | Awaitable[Response | Stream]

#: Answers requests; raises L{brxy.errors.BadRequest} for one that can't be served.
Handler = Callable[[Request], Answer]


def asJSON(value: Any, status: int = 200) -> Response:
    """
    A response with a value as JSON.
    """
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body.encode("utf-8", "replace") + b"\n", "application/json", status)
