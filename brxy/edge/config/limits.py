"""
How much clients may take of an edge.

Pure: decisions about numbers, for a clock that is told.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from attrs import frozen

from brxy.edge.clients.timeouts import Patience

__all__ = ["Addresses", "Limits", "Wakes", "clientsAllowed", "network"]

# Descriptors that an edge needs besides those of clients and instances: its ports,
# its log, its state, and the pipes of L{brxy.transport.splice}.
OWN_FILES = 120

# What an instance that runs here needs besides its slots.
FILES_PER_INSTANCE = 3


@frozen
class Limits:
    """
    What clients may take.  Times are seconds; 0 is no limit, of all but
    C{max_connections}, C{max_held} and C{head_timeout}.

    @ivar max_connections: clients that are let in at once; L{None} for as many as the
        descriptors allow, which is never exceeded.
    @ivar max_connections_per_address: of one address; see L{network}.
    @ivar max_held: clients held for one route.
    @ivar max_held_total: for all routes; L{None} for 10,000, or C{max_held} if
        that is more.
    @ivar max_held_per_address: of one address.
    @ivar max_routes: routes that the edge knows anything about.
    @ivar wake_burst: routes that one address may wake at once, of those that nobody
        has named to the edge.
    @ivar wake_rate: and how many more in each minute.
    @ivar max_body: bytes of a request's body.
    @ivar max_requests: requests on one connection.
    @ivar head_timeout: for a whole request head.
    @ivar keep_alive_timeout: between two requests.
    @ivar body_timeout: in which some of a body must come; see L{Patience}.
    @ivar write_timeout: in which some of an answer must be taken.
    @ivar tunnel_timeout: in which some byte must pass, of a TCP connection or an
        upgraded one.
    """

    max_connections: int | None = None
    max_connections_per_address: int = 0
    max_held: int = 1000
    max_held_total: int | None = None
    max_held_per_address: int = 0
    max_routes: int = 10_000
    wake_burst: int = 20
    wake_rate: int = 6
    max_body: int = 0
    max_requests: int = 0
    head_timeout: float = 15.0
    keep_alive_timeout: float = 75.0
    body_timeout: float = 30.0
    write_timeout: float = 60.0
    tunnel_timeout: float = 0.0

    @property
    def held_total(self) -> int:
        """
        Clients held at most, for all routes.
        """
        if self.max_held_total is None:
            return max(10_000, self.max_held)
        return self.max_held_total

    def patience(self) -> Patience:
        """
        With clients that do nothing.
        """
        return Patience(
            self.keep_alive_timeout, self.body_timeout, self.write_timeout, self.tunnel_timeout
        )


def clientsAllowed(files: int, instances: int, capacity: int) -> int:
    """
    How many clients may be let in so that there are descriptors left for all else;
    never more than half of them are kept for that.

    @param files: how many this process may have open.
    @param instances: how many there may be.
    @param capacity: how many slots each has.
    """
    kept = OWN_FILES + instances * (capacity + FILES_PER_INSTANCE)
    return max(1, files - min(kept, files // 2))


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
    Counts what each address has; nothing is kept of one that has nothing.
    """

    def __init__(self, most: int) -> None:
        """
        @param most: how much each may have; 0 for any number, and nothing is counted.
        """
        self._most = most
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, address: str) -> bool:
        """
        An address wants one more.

        @return: whether it may; if not, it does not count.  Clients without an
            address may.
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
        An address has one more, that it had before.
        """
        if self._most and address:
            key = network(address)
            self._counts[key] = self._counts.get(key, 0) + 1

    def remove(self, address: str) -> None:
        """
        An address has one less, of those that it was let have.
        """
        if self._most and address:
            key = network(address)
            count = self._counts.pop(key)
            if count > 1:
                self._counts[key] = count - 1


class Wakes:
    """
    How many routes each address may wake: a token bucket for each, as the generic
    cell rate algorithm keeps it (ITU-T I.371), which needs one number.
    """

    #: Addresses that are remembered; of more, those that woke nothing for longest
    #: are forgotten.
    MOST = 10_000

    def __init__(self, burst: int, rate: int) -> None:
        """
        @param burst: how many at once; 0 for any number.
        @param rate: how many more in a minute; 0 for any number.
        """
        self._interval = 60.0 / rate if rate and burst else 0.0
        self._tolerance = (burst - 1) * self._interval
        # When all that an address took has come back to it; who took last comes last.
        self._full_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, address: str, now: float) -> float:
        """
        An address wakes a route.

        @return: 0, or the seconds after which it may.
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
        Make room for as many again as half of those that may be remembered.
        """
        kept = [each for each in self._full_at.items() if each[1] > now]
        self._full_at = dict(kept[-self.MOST // 2 :])
