"""
Connections to apps that begin with a PROXY header, which names the client.
"""

from __future__ import annotations

from typing import Any

from brxy.apps.backend import Backend
from brxy.apps.connection import AppConnection
from brxy.transport.relay import Relay
from brxy.wire.proxyheader import endpointsFromText, proxyHeader

__all__ = ["Announcing"]


class Announcing(Backend):
    """
    A L{Backend} whose connections begin with a PROXY header, so that each of them
    carries exchanges of one client's connection only.

    @param version: one of L{brxy.wire.proxyheader.VERSIONS}.
    """

    _client = ""

    def __init__(self, version: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._version = version

    def begin(self, relay: Relay, once: bool, client: str, first: bytes) -> None:
        """
        See L{Backend}.
        """
        if client != self._client:
            self._drop()
            self._client = client
        super().begin(relay, once, client, first)

    def _adopt(self) -> AppConnection | None:
        """
        Close the kept connection of another slot, since its header names another client.
        """
        if super()._adopt() is not None:
            self._drop()
        return None

    def _dial(self) -> None:
        header = proxyHeader(self._version, endpointsFromText(self._client))
        self._outbox.insert(0, header)
        super()._dial()
