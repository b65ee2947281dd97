"""
What the kernel knows of a TCP connection: C{tcp_info} of linux/tcp.h.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

__all__ = [
    "givenOf",
    "isCut",
    "isEnded",
    "isGone",
    "isSent",
    "readInfo",
    "roundTripOf",
    "takenOf",
]

# Offsets into struct tcp_info: tcpi_state; tcpi_retransmits, tcpi_probes (both consecutive,
# unanswered); tcpi_unacked (segments); tcpi_last_ack_recv (ms); tcpi_rtt (µs); tcpi_bytes_acked;
# tcpi_bytes_received; tcpi_notsent_bytes.
_STATE = 0
_RETRANSMITS = 2
_PROBES = 3
_UNACKED = slice(24, 28)
_LAST_ACK = slice(56, 60)
_ROUND_TRIP = slice(68, 72)
_BYTES_ACKED = slice(120, 128)
_BYTES_RECEIVED = slice(128, 136)
_NOT_SENT = slice(144, 148)

_SIZE = _NOT_SENT.stop

# States in which the peer's FIN or reset has come: TIME_WAIT, CLOSE, CLOSE_WAIT, LAST_ACK and
# CLOSING of linux/tcp_states.h.
_ENDED = {6, 7, 8, 9, 11}

# CLOSE of linux/tcp_states.h.
_GONE = 7

# A link counts as cut after this many milliseconds without an acknowledgement, and this many
# unanswered attempts in a row.
CUT_TIME = 20_000
CUT_ATTEMPTS = 2


def readInfo(transport: Any) -> bytes:
    """
    Read C{tcp_info} of a connection.

    @param transport: of a TCP connection, with or without TLS.
    """
    # Go below TLS and other layers.
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


def roundTripOf(info: bytes) -> float:
    """
    How long a byte takes to the peer and an answer back (seconds), as far as is known.
    """
    return int.from_bytes(info[_ROUND_TRIP], sys.byteorder) / 1e6


def isEnded(info: bytes) -> bool:
    """
    Whether the peer has closed or half-closed.
    """
    return info[_STATE] in _ENDED


def isGone(info: bytes) -> bool:
    """
    Whether the connection is over in both directions: while ours was not ended, the peer has
    reset it.
    """
    return info[_STATE] == _GONE


def isSent(info: bytes) -> bool:
    """
    Whether the peer's kernel has all that ours was given.
    """
    return not any(info[_UNACKED] + info[_NOT_SENT])


def isCut(info: bytes, seconds: float | None = None) -> bool:
    """
    Whether the peer's kernel has not acknowledged for a long time what was sent.  If just
    the peer's program reads nothing, its kernel still acknowledges probes;
    C{TCP_USER_TIMEOUT} would treat that as a cut, too.

    @param seconds: how long; L{None} for L{CUT_TIME}.
    """
    silent = int.from_bytes(info[_LAST_ACK], sys.byteorder)
    least = CUT_TIME if seconds is None else 1000 * seconds
    return silent >= least and max(info[_RETRANSMITS], info[_PROBES]) >= CUT_ATTEMPTS
