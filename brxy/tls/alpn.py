"""
ALPN (RFC 7301): the protocol that a client and a server agree on during the handshake.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from OpenSSL import SSL

__all__ = ["ALPN", "NO_ALPN"]


@frozen
class ALPN:
    """
    The protocols that a server agrees to.

    @ivar protocols: their names, the preferred one first; empty: a client gets no answer,
        whatever it offers.
    @ivar strict: a client that offers others only is refused (RFC 7301 §3.2); else it is
        served as one that offers none.
    """

    protocols: Sequence[bytes] = ()
    strict: bool = False

    def choose(self, connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
        """
        The callback of an L{SSL.Context}.

        @raise SSL.Error: the client is refused; OpenSSL sends the alert.
        """
        for each in self.protocols:
            if each in offered:
                return each
        if self.strict and self.protocols:
            raise SSL.Error([("ALPN", "", "no application protocol")])
        return SSL.NO_OVERLAPPING_PROTOCOLS


NO_ALPN = ALPN()
