"""
Quotas of addresses.

Pure: time is an argument.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["Addresses", "Wakes", "network"]


def network(address: str) -> str:
    """
    What counts as one address: an IPv4 address, or the 64 bits of an IPv6 address that
    its host did not choose.

    @param address: as L{brxy.edge.clients.connection.addressText} has it.
    """
    if ":" not in address:
        return address
    ip = ip_address(address)
    assert isinstance(ip, IPv6Address), "only these have colons"
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip_network((ip, 64), strict=False))


class Addresses:
    """
    Counts what each address has.  An address that has nothing takes no memory.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: how much each address may have; 0: no limit, and nothing is counted.
        """
        self._most = most
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, address: str) -> bool:
        """
        An address requests one more.

        @return: whether it gets one.  Clients without an address always do.
        """
        if not self._most or not address:
            return True
        key = network(address)
        count = self._counts.get(key, 0)
        if count >= self._most:
            return False
        self._counts[key] = count + 1
        return True

    def addAgain(self, address: str) -> None:
        """
        An address has one more, which it had before.
        """
        if self._most and address:
            key = network(address)
            self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, address: str) -> None:
        """
        An address has one less.
        """
        if self._most and address:
            key = network(address)
            count = self._counts.pop(key)
            if count > 1:
                self._counts[key] = count - 1


class Wakes:
    """
    Limits how many routes each address may wake: a token bucket for each address, by the
    generic cell rate algorithm (ITU-T I.371), which needs one number for it.
    """

    #: The maximum of addresses that are remembered.  Beyond it, those that have woken
    #: nothing for the longest time are forgotten.
    MOST = 10_000

    def __init__(self, burst: int, rate: int) -> None:
        """
        @param burst: how many at once; 0: no limit.
        @param rate: how many more in a minute; 0: no limit.
        """
        self._interval = 60.0 / rate if rate and burst else 0.0
        self._tolerance = (burst - 1) * self._interval
        # When the bucket of each address is full again; the latest taker is last.
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, address: str, now: float) -> float:
        """
        An address wakes a route.

        @return: 0, or the seconds until it may.
        """
        if not self._interval or not address:
            return 0.0
        key = network(address)
        full_at = max(now, self._full_at.get(key, now))
        wait = full_at - now - self._tolerance
        if wait > 0:
            return wait
        self._full_at.pop(key, None)
        self._full_at[key] = full_at + self._interval
        if len(self._full_at) > self.MOST:
            self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """
        Forget at least half of the addresses.
        """
        kept = [each for each in self._full_at.items() if each[1] > now]
        self._full_at = dict(kept[-self.MOST // 2 :])
