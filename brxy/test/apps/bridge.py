"""
An app that passes the bytes of each connection on to a Unix socket, and its
half-closes too: C{bridge.py PORT PATH}.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from threading import Thread


def pump(source: socket.socket, target: socket.socket) -> None:
    """
    Pass on what one socket sends, and then its end.
    """
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(client: socket.socket, path: str) -> None:
    """
    Serve one connection.
    """
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        back = Thread(target=pump, args=(server, client), daemon=True)
        back.start()
        pump(client, server)
        back.join()


def main(port: str, path: str) -> None:
    """
    Accept connections until the process is stopped.
    """
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            client, _ = listener.accept()
            Thread(target=serve, args=(client, path), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
