"""
Free TCP ports for apps to listen on.
"""

from __future__ import annotations

import random
import socket

from brxy.errors import SpawnFailed

__all__ = ["PORTS", "Ports", "isFree"]

# Below the range from which Linux takes the ports of outgoing connections
# (ip_local_port_range, 32768 and up): such a connection could take the port in the
# moment before the app binds it.
_FIRST, _LAST = 16384, 32767

_ATTEMPTS = 1000


def isFree(port: int, *, reuse: bool = False) -> bool:
    """
    Whether a server could listen on this port now, on any IPv4 address.

    @param reuse: for a server that sets SO_REUSEADDR, which connections that were
        closed a moment ago don't prevent from listening.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if reuse:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


class Ports:
    """
    Gives out ports, none twice at the same time.

    @param chance: chooses the ports.  They are random, so that two processes that look at
        the same time hardly find the same port.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        self._chance = chance or random.Random()
        self._taken: set[int] = set()

    def take(self) -> int:
        """
        @return: a free port, which is not given out again before L{release}.
        @raise SpawnFailed: none was found.
        """
        for _ in range(_ATTEMPTS):
            port = self._chance.randint(_FIRST, _LAST)
            if port not in self._taken and isFree(port):
                self._taken.add(port)
                return port
        raise SpawnFailed(f"no free port between {_FIRST} and {_LAST}")

    def release(self, port: int) -> None:
        """
        The port is no longer used.
        """
        self._taken.discard(port)


#: The ports of this process: all that starts apps here shares them, so that no port is
#: given out twice.
PORTS = Ports()
