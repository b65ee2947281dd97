"""
Many clients in a process of their own::

    python -m brxy.test.support.loopback.multitude PORT NUMBER

There is one client more than the edge holds, and each requests C{/20} once.
The process prints C{held} when one client has been rejected, and C{served}
when C{SAMPLE} of the others have been served. At the end of its input all
clients hang up.
"""

from __future__ import annotations

import select
import socket
import struct
import sys

__all__ = ["SAMPLE"]

#: How many clients must be served.
SAMPLE = 200

_REQUEST = b"GET /20 HTTP/1.1\r\nHost: localhost\r\n\r\n"

# A port's queue holds 4096 connections; further clients connect a second late.
_AT_ONCE = 2000

# This many clients connect from each address of loopback: the kernel has 28,000 ports for one
# address, and searches long for the last of them.
_PER_ADDRESS = 5000

# From linux/in.h: the port is chosen when the destination is known.
_BIND_ADDRESS_NO_PORT = 24

# Clients hang up by a reset, which frees their ports for other tests at once.
_RESET = struct.pack("ii", 1, 0)


def _connect(port: int, address: int, request: bytes = _REQUEST) -> socket.socket:
    """
    @return: a client that has sent its request.

    @param address: the number of the address that it connects from.
    """
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    client.bind((f"127.0.0.{1 + address}", 0))
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    return client


def _untilAccepted(port: int) -> None:
    """
    Wait until the edge has accepted all clients so far: it answers a later
    client with an invalid request at once.
    """
    with _connect(port, 0, b"?\r\n\r\n") as client:
        client.recv(1)


class _Multitude:
    """
    The clients of this process.
    """

    def __init__(self, port: int, number: int) -> None:
        self._poll = select.epoll()
        self._clients: dict[int, socket.socket] = {}
        for each in range(number):
            if each % _AT_ONCE == 0:
                _untilAccepted(port)
            client = _connect(port, each // _PER_ADDRESS)
            self._clients[client.fileno()] = client
            self._poll.register(client, select.EPOLLIN)

    def expect(self, status: bytes, number: int) -> None:
        """
        Wait until at least this many clients have been answered. Those hang up
        then.

        @raise AssertionError: there was another status.
        """
        while number > 0:
            for descriptor, _ in self._poll.poll():
                with self._clients.pop(descriptor) as client:
                    answer = client.recv(65536)
                assert answer.startswith(b"HTTP/1.1 " + status), answer
                number -= 1


def _main(port: int, number: int) -> None:
    multitude = _Multitude(port, number)
    multitude.expect(b"503", 1)
    print("held", flush=True)
    multitude.expect(b"200", SAMPLE)
    print("served", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]))
