"""
HTTP clients behind a trusted proxy, named by its X-Forwarded fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from brxy.edge.clients.http1 import HTTPClient
from brxy.edge.exchanges.http import VIA
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
    The connection of a proxy that is trusted to tell of its clients.
    """

    # Those that were read last, and the host that they told.
    _fields: Sequence[Field] | None = None
    _host = b""

    def _begin(self, head: RequestHead) -> None:
        # Of a connection's requests most have the same ones, remembered as one object.
        if head.fields is not self._fields:
            self._fields = head.fields
            factory = self._factory
            told = forwarded(head.fields, self.address, factory.scheme, factory.trusted)
            self.client = told.client
            self.forwarded = forwardedLines(told.chain, told.proto, VIA)
            self._host = told.host
        if self._host and head.authority:
            head = withForwardedHost(head, self._host)
        super()._begin(head)
