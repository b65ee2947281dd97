"""
An app that serves one connection at a time, in the order of their arrival.

C{PORT=8000 python -S -E queueingapp.py}: C{/?ms=12.5} takes 12.5 ms, during
which the app does nothing else. The response is its process id.

On a busy machine the app wakes up late. It shortens the next requests by that
time, so it is never busier than the requests specify.
"""

from __future__ import annotations

import os
import socket
import time


def _serviceTime(head: bytes) -> float:
    """
    @return: the seconds that a request should take.
    """
    target = head.split(b" ", 2)[1]
    return float(target.partition(b"?ms=")[2] or 0) / 1000


def _head(client: socket.socket) -> bytes:
    """
    @return: the head of a request; nothing if the client leaves without one.
    """
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(65536)
        if not data:
            return b""
        head += data
    return head


def _serve() -> None:
    """
    Serve forever.
    """
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=4096)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    body = b"%d\n" % os.getpid()
    answer = head % (len(body), body)
    # Seconds that requests have taken too long so far.
    late = 0.0
    while True:
        client, _ = listener.accept()
        try:
            request = _head(client)
            if request:
                due = time.monotonic() + _serviceTime(request) - late
                time.sleep(max(0.0, due - time.monotonic()))
                client.sendall(answer)
                late = time.monotonic() - due
        except OSError:
            pass
        client.close()


if __name__ == "__main__":
    _serve()
