"""
An app that serves one connection at a time, in the order in which they came.

C{PORT=8000 python -S -E queueingapp.py}: C{/?ms=12.5} takes 12.5 ms, in which the
app does nothing else.  The answer is its process id.

On a busy machine it wakes up late; then the next requests take so much less.  So it
is never busier than it was asked to be.
"""

from __future__ import annotations

import os
import socket
import time


def _serviceTime(head: bytes) -> float:
    """
    @return: the seconds that a request asks for.
    """
    target = head.split(b" ", 2)[1]
    return float(target.partition(b"?ms=")[2] or 0) / 1000


def _serve() -> None:
    """
    Serve for ever.
    """
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=4096)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    body = b"%d\n" % os.getpid()
    answer = head % (len(body), body)
    # Seconds that requests have taken too long.
    late = 0.0
    while True:
        client, _ = listener.accept()
        try:
            request = client.recv(65536)
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
