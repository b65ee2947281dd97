"""
Free TCP ports for apps to listen on.
"""

from __future__ import annotations

import errno
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
    Whether a server could listen on this port now, on any address.

    @param reuse: for a server that sets SO_REUSEADDR, which connections that were
        closed a moment ago don't prevent from listening.
    """
    return all(_isFree(port, family, reuse) for family in (socket.AF_INET, socket.AF_INET6))


def _isFree(port: int, family: socket.AddressFamily, reuse: bool) -> bool:
    try:
        probe = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        # This machine has no IPv6.
        return True
    with probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if reuse:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE and family == socket.AF_INET6
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
        self._claims: dict[int, socket.socket] = {}

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

    def claim(self, port: int) -> None:
        """
        Take a given port for an app, until L{release}.

        No other edge or node on this machine can claim it meanwhile.  Until the app
        listens the port itself looks free, and two apps that were started for it would
        both be taken for ready when one of them listens.

        @raise SpawnFailed: another edge or node has claimed it, or a server listens
            there.
        """
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            # An abstract address, which is free again when this process ends in any way;
            # there is one for each network namespace, as there is for ports.
            claim.bind(f"\0brxy/port/{port}")
        except OSError:
            claim.close()
            raise SpawnFailed(
                f"port {port} is taken already, for an app of another edge or node: "
                "with a port of its own an app can run once on a machine"
            ) from None
        if not isFree(port, reuse=True):
            claim.close()
            raise SpawnFailed(f"port {port} is taken already")
        self._claims[port] = claim

    def release(self, port: int) -> None:
        """
        The port is no longer used.
        """
        self._taken.discard(port)
        claim = self._claims.pop(port, None)
        if claim is not None:
            claim.close()


#: The ports of this process: all that starts apps here shares them, so that no port is
#: given out twice.
PORTS = Ports()
