"""
How much clients may take of an edge.

Pure: decisions about numbers, for a clock that is told.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["Limits"]


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
    @ivar body_timeout: in which some of a body must come; see
        L{brxy.edge.clients.timeouts.Timeouts}.
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
