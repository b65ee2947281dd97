"""
HTTP clients behind a trusted proxy, which describes them by X-Forwarded fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from brxy.edge.clients.answering import VIA
from brxy.edge.clients.http1 import HTTPClient
from brxy.http.fields import Field
from brxy.http.forwarding import forwarded
from brxy.http.messages import (
    RequestHead,
    forwardedLines,
    withForwardedHost,
)

__all__ = ["ForwardingClient"]


class ForwardingClient(HTTPClient):
    """
    The connection of a proxy that is trusted to describe its clients.
    """

    is_trusted = True
    # The fields of the last request, and the X-Forwarded-Host in them.
    _fields: Sequence[Field] | None = None
    _host = b""

    def begin(self, head: RequestHead) -> None:
        """
        See L{HTTPClient}.
        """
        # Most requests of a connection have the same fields, remembered as one object.
        if head.fields is not self._fields:
            self._fields = head.fields
            listener = self.listener
            said = forwarded(head.fields, self.address, listener.scheme, listener.trusted)
            self.client = said.client
            self.scheme = said.proto
            self.forwarded = forwardedLines(said.chain, said.proto, VIA)
            self._host = said.host
        if self._host and head.authority:
            head = withForwardedHost(head, self._host)
        super().begin(head)
