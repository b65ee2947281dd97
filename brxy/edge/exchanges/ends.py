"""
What an exchange needs of its client and of its slot.
"""

from __future__ import annotations

from typing import Protocol

from brxy.scaler.instance import Instance
from brxy.transport.relay import End, Relay

__all__ = ["Client", "SlotEnd"]


class SlotEnd(End, Protocol):
    """
    A slot as a carrier uses it: an end that exchanges are opened on.

    @ivar wants_client: each exchange shall tell who its client is.
    """

    instance: Instance
    wants_client: bool

    def open(self, relay: Relay, kind: int, once: bool, client: str, first: bytes) -> None: ...

    def done(self, keep: bool) -> None: ...


class Client(End, Protocol):
    """
    A client's connection as a carrier uses it.

    @ivar client: the address of who asks, as text.
    @ivar endpoints: see L{brxy.edge.clients.peer.endpointsText}.
    """

    client: str

    @property
    def endpoints(self) -> str: ...

    def fail(self, status: int, text: str, retry_after: int | None) -> None: ...

    def accepted(self) -> None: ...

    def next(self, keep: bool) -> None: ...

    def linger(self) -> None: ...

    def close(self) -> None: ...
