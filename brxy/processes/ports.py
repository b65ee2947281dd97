"""
Ports for apps to listen at.
"""

from __future__ import annotations

import random
import socket

from brxy.errors import SpawnFailed

__all__ = ["PORTS", "Ports", "isFree"]

# Below the range that Linux takes the ports of outgoing connections from
# (ip_local_port_range, 32768 and up): one of those could take the port in the
# moment before the app binds it.
_FIRST, _LAST = 16384, 32767

_ATTEMPTS = 1000


def isFree(port: int, *, reuse: bool = False) -> bool:
    """
    Could a server listen at this port now, at any IPv4 address?

    @param reuse: as one that sets SO_REUSEADDR, which connections that closed
        a moment ago don't disturb.
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
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        """
        @param chance: where the choice comes from; chosen at random, two
            processes that look at the same time hardly find the same port.
        """
        self._chance = chance or random.Random()
        self._taken: set[int] = set()

    def take(self) -> int:
        """
        @return: a port that is free, and is not given again before L{release}.
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
        The port's user is gone.
        """
        self._taken.discard(port)


# The ports of this process: whoever starts apps here must not give out the
# same one twice.
PORTS = Ports()
