"""
An app that starts fast and uses little memory, for tests of many instances.

C{python light.py [LOG]} listens on C{PORT}. C{/50} is answered after 50 ms
with the id of the process. The target of each POST is first appended to LOG.
"""

from __future__ import annotations

import _thread
import os
import socket
import sys
import time

_END = b"\r\n\r\n"


def requests(connection: socket.socket, data: bytes = b"") -> None:
    """
    Answer the requests of one connection.
    """
    while True:
        while _END not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, data = data.partition(_END)
        method, target, _ = head.split(b"\r\n")[0].split(b" ")
        if method == b"POST":
            os.write(LOG, target + b"\n")
        time.sleep(float(target.split(b"?")[0][1:] or 0) / 1000)
        body = b"%d" % os.getpid()
        length = b"Content-Length: %d" % len(body)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + _END + body)


def serve(connection: socket.socket) -> None:
    """
    Serve one connection until it is closed.
    """
    try:
        requests(connection)
    except OSError:
        pass
    finally:
        connection.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        LOG = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    listening = socket.create_server(("127.0.0.1", int(os.environ["PORT"])), backlog=1024)
    while True:
        _thread.start_new_thread(serve, (listening.accept()[0],))
