"""
Reads the requests of the admin API.

Pure: it gets bytes and a head.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from brxy.edge.admin.messages import Request
from brxy.errors import BadRequest
from brxy.http.body import Body, framingFor
from brxy.http.messages import RequestHead

__all__ = ["MAX_BODY", "BodyText", "makeRequest", "splitTarget"]

#: Bytes of a body.
MAX_BODY = 64 * 1024

# Parameters of a query.
_MAX_PARAMETERS = 20


class BodyText:
    """
    The body of one request, as it comes in.
    """

    def __init__(self, head: RequestHead) -> None:
        """
        @raise BadRequest: it is too large.
        """
        if head.length > MAX_BODY:
            raise _tooLarge()
        self._framing: Body = framingFor(head.length, head.fields, decode=True)
        self._text = b""

    @property
    def done(self) -> bool:
        """
        Whether it is complete.
        """
        return self._framing.done

    def feed(self, data: bytes) -> bytes:
        """
        @return: what follows the body.
        @raise brxy.errors.PeerError: it is too large, or its framing is invalid.
        """
        text, rest = self._framing.feed(data)
        self._text += text
        if len(self._text) > MAX_BODY:
            raise _tooLarge()
        return rest

    def value(self) -> dict[str, Any]:
        """
        @return: the JSON object in it.
        @raise BadRequest: it is none.
        """
        if not self._text:
            return {}
        try:
            value = json.loads(self._text)
        except (ValueError, RecursionError):
            raise BadRequest(400, "the body is no JSON") from None
        if not isinstance(value, dict):
            raise BadRequest(400, "the body is no JSON object")
        return value


def _tooLarge() -> BadRequest:
    return BadRequest(413, f"the body has more than {MAX_BODY} bytes")


def splitTarget(head: RequestHead) -> tuple[str, dict[str, str]]:
    """
    @return: the path of a request as it was sent, and its parameters.
    @raise BadRequest: there are too many parameters.
    """
    path, _, query = head.target.decode("ascii").partition("?")
    try:
        return path, dict(parse_qsl(query, True, max_num_fields=_MAX_PARAMETERS))
    except ValueError:
        raise BadRequest(400, "too many parameters") from None


def makeRequest(
    head: RequestHead,
    path: str,
    query: dict[str, str],
    parts: Any,
    body: dict[str, Any],
    is_local: bool,
) -> Request:
    """
    The request of a head, for its handler.
    """
    fields = {name.decode("latin-1"): value.decode("latin-1") for name, _, value in head.fields}
    return Request(head.method.decode("ascii"), path, parts, query, fields, body, is_local)
