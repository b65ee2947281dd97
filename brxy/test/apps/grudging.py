"""
Apps that take connections up in unusual ways, or pretend to.

The first argument says which one.  The app prints its port, then the target of each request
that it has read whole, and C{+} for each connection that it accepts.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

# How long a request is worked on (seconds).
WORK = 0.02

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: %b\r\n\r\nok"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

_printing = Lock()


def report(line: str) -> None:
    """
    Print a line in one piece.
    """
    with _printing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def readHead(connection: socket.socket, flags: int = 0) -> bytes:
    """
    Read, or peek at, what comes up to the end of a request without a body.

    @return: C{b""} if the connection ends before.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536, flags)
        if not data:
            return b""
        head = data if flags else head + data
        if flags:
            time.sleep(0.001)
    return head


def serve(
    connection: socket.socket,
    keep: bool = False,
    answers: Callable[[], None] = lambda: None,
) -> None:
    """
    Serve one request, or all that come on the connection.

    @param answers: called before each answer.
    """
    with connection, suppress(OSError):
        while head := readHead(connection):
            report(head.split()[1].decode())
            time.sleep(WORK)
            answers()
            connection.sendall(OK % (b"keep-alive" if keep else b"close"))
            if not keep:
                return


class App:
    """
    What becomes of each connection, by the name of the app.
    """

    def __init__(self) -> None:
        self.open: list[socket.socket] = []
        self.current: socket.socket | None = None

    def unread(self, connection: socket.socket) -> None:
        """
        Accept and never read.
        """
        self.open.append(connection)

    def byte(self, connection: socket.socket) -> None:
        """
        Read one byte, and nothing more.
        """
        connection.recv(1)
        self.open.append(connection)

    def jealous(self, connection: socket.socket) -> None:
        """
        Close every connection that comes while another is open.
        """
        if self.current is not None:
            connection.close()
            return
        self.current = connection

        def answers() -> None:
            if self.current is connection:
                self.current = None

        serve(connection, answers=answers)
        answers()

    def peek(self, connection: socket.socket) -> None:
        """
        Look at requests, and read them when they are whole.
        """
        with suppress(OSError):
            if readHead(connection, socket.MSG_PEEK):
                serve(connection)
                return
        connection.close()

    def hasty(self, connection: socket.socket) -> None:
        """
        Take what is read at first for a whole request.
        """
        with connection, suppress(OSError):
            head = connection.recv(65536)
            if b"\r\n\r\n" in head:
                report(head.split()[1].decode())
                time.sleep(WORK)
                connection.sendall(OK % b"close")
            elif head:
                connection.sendall(BAD)

    def slow(self, connection: socket.socket) -> None:
        """
        The same, at work for a while on what is no request.
        """
        with connection, suppress(OSError):
            head = connection.recv(65536)
            time.sleep(WORK)
            if b"\r\n\r\n" in head:
                report(head.split()[1].decode())
                connection.sendall(OK % b"close")
            elif head:
                connection.sendall(BAD)

    def single(self, connection: socket.socket) -> None:
        """
        Serve one connection until it ends, before the next one is accepted.
        """
        serve(connection, keep=True)


def main() -> None:
    """
    Serve forever.
    """
    kind = sys.argv[1]
    with socket.create_server(("127.0.0.1", 0), backlog=1 if kind == "deaf" else 100) as server:
        report(str(server.getsockname()[1]))
        if kind == "deaf":
            time.sleep(3600)
        treat = getattr(App(), kind)
        while True:
            connection, _ = server.accept()
            report("+")
            if kind == "single":
                treat(connection)
            else:
                Thread(target=treat, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
