"""
The app of L{brxy.spawners.testing}, which answers with its route and its instance.

It needs nothing but Python's own library, so that this file alone can be put into an
image or onto another machine.  It listens on C{HOST} and C{PORT}.

The answer to C{/} is a line of JSON: C{instance}, a text that differs each time that the
app is started; C{route}, from its environment; and C{arguments}.  The answer to C{/hold}
is the same, and goes on until the client hangs up.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from threading import Thread

__all__ = ["main"]

# Bytes; no test sends a longer head.
_LONGEST_HEAD = 65536

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


def _serve(connection: socket.socket, line: bytes) -> None:
    """
    Answer one request, and close the connection.
    """
    # Clients may hang up at any time.
    with connection, suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _LONGEST_HEAD:
            received = connection.recv(4096)
            if not received:
                return
            head += received
        connection.sendall(_HEAD + line)
        if head.split(b" ")[1] == b"/hold":
            while connection.recv(4096):
                pass


def main() -> None:
    """
    Serve, until SIGTERM.
    """
    # Without a handler, SIGTERM does not end the first process of a container.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    about = {
        "instance": os.urandom(8).hex(),
        "route": os.environ.get("ROUTE", ""),
        "arguments": sys.argv[1:],
    }
    line = json.dumps(about).encode() + b"\n"
    address = os.environ.get("HOST", "0.0.0.0"), int(os.environ.get("PORT", "8000"))
    with socket.create_server(address) as server:
        while True:
            connection, _ = server.accept()
            Thread(target=_serve, args=(connection, line), daemon=True).start()


if __name__ == "__main__":
    main()
