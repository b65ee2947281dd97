"""
The first messages of PostgreSQL clients (PostgreSQL, "Message Formats").

They have no type, but a length and a code: a client requests TLS by one of them and waits
for an answer of one byte, or it begins with the TLS handshake at once (direct TLS).
"""

from __future__ import annotations

from enum import Enum

from brxy.errors import BadStart

__all__ = [
    "ANSWERS",
    "CANCEL_REQUEST",
    "GSS_REQUEST",
    "SSL_REQUEST",
    "YES",
    "Start",
    "StartReader",
]


class Start(Enum):
    """
    The messages with which a client can begin.
    """

    #: A TLS handshake.
    TLS = "TLS"
    #: A request for TLS.
    SSL_REQUEST = "SSLRequest"
    #: A request for encryption by Kerberos.
    GSS_REQUEST = "GSSENCRequest"
    #: A request to cancel a query of another connection.
    CANCEL = "CancelRequest"
    #: A session without encryption.
    PLAIN = "StartupMessage"


#: The answer to a request for TLS that is granted.
YES = b"S"

#: Length and code.
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
GSS_REQUEST = bytes.fromhex("0000000804d21630")
#: The code; a process and its secret follow, which had 4 bytes before protocol 3.2.
CANCEL_REQUEST = bytes.fromhex("04d2162e")

_REQUESTS = {SSL_REQUEST: Start.SSL_REQUEST, GSS_REQUEST: Start.GSS_REQUEST}

_HANDSHAKE = b"\x16"

# Lengths, as PostgreSQL's own server limits them.
_CANCEL = range(16, 8 + 4 + 256 + 1)
_PLAIN = range(9, 10000 + 1)

_TEXT = (
    b"SFATAL\0VFATAL\0C28000\0Mthis server needs TLS\0"
    b"Hconnect with sslmode=require or stronger\0\0"
)

_REFUSAL = b"E" + (4 + len(_TEXT)).to_bytes(4) + _TEXT

#: The answers of a server that speaks TLS only; the last one is an ErrorResponse.
ANSWERS = {Start.SSL_REQUEST: YES, Start.GSS_REQUEST: b"N", Start.PLAIN: _REFUSAL}


class StartReader:
    """
    Reads what a client sends before its session or handshake begins, in pieces of any size.

    @ivar data: the bytes with which it begins.
    """

    def __init__(self) -> None:
        self.data = b""
        self._gss_refused = False

    def feed(self, data: bytes) -> Start | None:
        """
        Read the next bytes.  A request for encryption that is returned must be answered
        (L{ANSWERS}).  After L{Start.GSS_REQUEST} the client goes on with another message;
        with any other one it has begun.

        @return: the message; L{None} while it is not complete.
        @raise BadStart: a client of PostgreSQL sends no such thing.
        """
        self.data += data
        found = _read(self.data)
        if found is None:
            return None
        start, length = found
        if start is Start.TLS:
            return start
        # A client waits for the answer to its message.  Bytes that come with it were added
        # on the way, to be taken for a part of the encrypted session.
        if len(self.data) > length:
            raise BadStart(f"bytes behind {start.value}")
        if start is Start.GSS_REQUEST:
            if self._gss_refused:
                raise BadStart(f"two of {start.value}")
            self._gss_refused = True
            self.data = b""
        return start


def _read(data: bytes) -> tuple[Start, int] | None:
    """
    @return: what a client has sent, and its length (0 for TLS); L{None} while it is not
        complete.
    """
    if data[:1] == _HANDSHAKE:
        return Start.TLS, 0
    if len(data) < 8:
        if data[:2].strip(b"\0"):
            raise BadStart("no first message of PostgreSQL")
        return None
    request = _REQUESTS.get(data[:8])
    if request is not None:
        return request, 8
    length, code = int.from_bytes(data[:4]), data[4:8]
    if code == CANCEL_REQUEST and length in _CANCEL:
        kind = Start.CANCEL
    elif code[:2] == b"\0\3" and length in _PLAIN:
        kind = Start.PLAIN
    else:
        raise BadStart("no first message of PostgreSQL")
    return (kind, length) if len(data) >= length else None
