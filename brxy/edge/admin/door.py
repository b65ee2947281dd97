"""
Which requests an admin port admits.

A page of another site that runs in an operator's browser must not reach the API.  So the
name of the host must be one that no other site can have, the origin must be the API's own,
and a body must be JSON, which no form can send.

Pure: it gets the head of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hmac import compare_digest

from brxy.errors import BadRequest
from brxy.http.fields import valuesOf
from brxy.http.messages import RequestHead
from brxy.values.routename import isAddressOrLocalhost

__all__ = ["Door"]

_SCHEME = b"bearer "


class Door:
    """
    Checks the requests of one port.
    """

    def __init__(
        self,
        scheme: str = "http",
        tokens: Callable[[], Sequence[str]] | None = None,
        serves: Callable[[str], bool] = lambda host: False,
    ) -> None:
        """
        @param scheme: that of its URLs.
        @param tokens: those of which requests must bring one; L{None} for a port that only the
            edge's user can reach.
        @param serves: whether a certificate of the port is for a host.
        """
        self._scheme = scheme.encode("ascii")
        self._tokens = tokens
        self._serves = serves

    @property
    def is_local(self) -> bool:
        """
        Only the edge's user can reach the port.
        """
        return self._tokens is None

    def check(self, head: RequestHead) -> None:
        """
        Check what every request must fulfil.

        @raise BadRequest: it does not.
        """
        if not (head.host and isAddressOrLocalhost(head.host)) and not self._serves(head.host):
            # A site could have its own name point to this machine.
            raise BadRequest(403, "the Host must be localhost, an IP address or a certified name")
        origins = valuesOf(head.fields, b"origin")
        own = b"%b://%b" % (self._scheme, head.authority)
        if any(each.lower() != own.lower() for each in origins):
            raise BadRequest(403, "the Origin is another site")

    def checkToken(self, head: RequestHead) -> None:
        """
        Check that a request brings the token.

        @raise BadRequest: it does not.
        """
        if self._tokens is None:
            return
        values = valuesOf(head.fields, b"authorization")
        value = values[0] if len(values) == 1 else b""
        brought = value[len(_SCHEME) :].strip() if value.lower().startswith(_SCHEME) else b""
        if not any([compare_digest(brought, each.encode("ascii")) for each in self._tokens()]):
            raise BadRequest(401, "the token of --admin-token-file is needed, as Bearer")

    @staticmethod
    def checkContent(head: RequestHead) -> None:
        """
        Check that the body of a POST is JSON.

        @raise BadRequest: it is not.
        """
        values = valuesOf(head.fields, b"content-type")
        kinds = [each.partition(b";")[0].strip().lower() for each in values]
        if kinds != [b"application/json"]:
            raise BadRequest(415, "a POST needs Content-Type: application/json")
