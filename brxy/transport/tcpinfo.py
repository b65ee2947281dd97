"""
What the kernel knows of a TCP connection: C{tcp_info} of linux/tcp.h.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

__all__ = ["givenOf", "isCut", "readInfo", "takenOf"]

# Where it has: how often what is sent, and what asks a peer without room for some, went
# unanswered in a row; for how long (ms) nothing was acknowledged; how many bytes were,
# and how many came.
_RETRANSMITS = 2
_PROBES = 3
_LAST_ACK = slice(56, 60)
_BYTES_ACKED = slice(120, 128)
_BYTES_RECEIVED = slice(128, 136)

_SIZE = _BYTES_RECEIVED.stop

# A link is cut after so many milliseconds, and so many unanswered attempts in a row.
CUT_TIME = 20_000
CUT_ATTEMPTS = 2


def readInfo(transport: Any) -> bytes:
    """
    @param transport: of a TCP connection, with or without TLS.
    """
    # Below TLS and whatever else is between.
    while hasattr(transport, "wrappedProtocol"):
        transport = transport.transport
    info: bytes = transport.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    return info


def takenOf(info: bytes) -> int:
    """
    How many bytes the peer has acknowledged.
    """
    return int.from_bytes(info[_BYTES_ACKED], sys.byteorder)


def givenOf(info: bytes) -> int:
    """
    How many bytes have come from the peer, read or not.
    """
    return int.from_bytes(info[_BYTES_RECEIVED], sys.byteorder)


def isCut(info: bytes) -> bool:
    """
    Whether the peer's kernel has long said nothing to what was sent.  One whose program
    takes nothing still acknowledges; C{TCP_USER_TIMEOUT} takes that for a cut, too.
    """
    silent = int.from_bytes(info[_LAST_ACK], sys.byteorder)
    return silent >= CUT_TIME and max(info[_RETRANSMITS], info[_PROBES]) >= CUT_ATTEMPTS
