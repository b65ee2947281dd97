"""
Networks of peers, such as the proxies that may name the client they speak for.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["NOBODY", "UNIX", "Networks", "plainAddress", "shortAddress"]

#: What stands for all clients of Unix sockets, in place of a network.
UNIX = "unix"

_MAPPED = "::ffff:"


def plainAddress(host: str) -> str:
    """
    Write an address as the rest of brxy does: without a zone (C{fe80::1%eth0}), which means
    nothing on other machines; and an IPv4 address that an IPv6 socket reports
    (C{::ffff:192.0.2.1}) as IPv4.
    """
    host = host.partition("%")[0]
    return host[len(_MAPPED) :] if host.startswith(_MAPPED) and "." in host else host


def shortAddress(address: IPv4Address | IPv6Address) -> str:
    """
    Write an address object in its shortest form, as L{plainAddress} does.
    """
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return plainAddress(str(mapped or address))


class Networks:
    """
    A set of networks.

    @param texts: each is an address, C{ADDRESS/BITS} or L{UNIX}.
    @raise ValueError: one of them is something else.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        networks = set(texts)
        self._unix = UNIX in networks
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(text) for text in sorted(networks - {UNIX})
        ]
        # The same few peers connect again and again.
        self._coversAddress = lru_cache(1024)(self._look)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Networks):
            return NotImplemented
        return (self._unix, self._networks) == (other._unix, other._networks)

    def __hash__(self) -> int:
        return hash((self._unix, *self._networks))

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    @property
    def texts(self) -> list[str]:
        """
        The networks as people write them.
        """
        return [*map(str, self._networks), *([UNIX] if self._unix else [])]

    def covers(self, host: str) -> bool:
        """
        Whether an address is in one of the networks.

        @param host: see L{plainAddress}; C{""} is a client of a Unix socket.
        """
        return self._coversAddress(host) if host else self._unix

    def _look(self, host: str) -> bool:
        try:
            address: IPv4Address | IPv6Address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


NOBODY = Networks()
