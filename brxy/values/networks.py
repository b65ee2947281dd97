"""
Networks that are trusted to say for whom they speak.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["NOBODY", "UNIX", "Networks", "plainAddress", "shortAddress"]

#: The name of those who connect to a unix socket.
UNIX = "unix"

_MAPPED = "::ffff:"


def plainAddress(host: str) -> str:
    """
    An address as all of brxy has it: without a zone (C{fe80::1%eth0}), which is of no
    use elsewhere; and that of an IPv4 client at a port for both families as what it is.
    """
    host = host.partition("%")[0]
    return host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host


def shortAddress(address: IPv4Address | IPv6Address) -> str:
    """
    The same for one that was read: in its shortest form.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return plainAddress(str(mapped or address))


class Networks:
    """
    Some networks.

    @param texts: an address, C{ADDRESS/BITS} or L{UNIX} each.
    @raise ValueError: one of them is none of these.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        networks = set(texts)
        self._unix = UNIX in networks
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(text) for text in sorted(networks - {UNIX})
        ]
        # The same few peers connect again and again.
        self._coversAddress = lru_cache(1024)(self._look)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def covers(self, host: str) -> bool:
        """
        Whether an address is in one of them.

        @param host: see L{plainAddress}; C{""} is somebody at a unix socket.
        """
        return self._coversAddress(host) if host else self._unix

    def _look(self, host: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


NOBODY = Networks()
