"""
The limits on what clients may use of an edge, as plain data.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from brxy.edge.config.fields import FIELDS

__all__ = ["Limits"]


def _default(name: str) -> Any:
    return FIELDS.default(f"limits.{name}")


@frozen
class Limits:
    """
    How much clients may use of an edge.  Times are in seconds.  0 means no limit, except
    for C{max_connections}, C{max_held}, C{max_held_total}, C{wake_burst}, C{head_timeout},
    C{request_buffer_total} and C{response_buffer_total}.

    @ivar max_connections: clients that are connected at once, on all ports together.
        L{None}: as many as the limit of open files allows, which is never exceeded.
    @ivar max_connections_per_address: clients of one address that are connected at once;
        for what counts as one address see L{brxy.broker.quota.network}.
    @ivar max_held: clients that are held for one route.
    @ivar max_held_total: clients that are held for all routes together; L{None} for
        10,000, or C{max_held} if that is more.
    @ivar max_held_per_address: clients of one address that are held.
    @ivar max_routes: routes that the edge knows anything about.
    @ivar wake_burst: routes that one address may wake at once, of those that are not
        named to the edge.
    @ivar wake_rate: routes beyond C{wake_burst} that one address may wake per minute.
    @ivar max_body: bytes of the body of a request.
    @ivar max_requests: requests on one connection.
    @ivar request_buffer: bytes of the largest body that is collected before its request
        waits for a slot; 0 for none.
    @ivar request_buffer_total: bytes of all these bodies together.
    @ivar response_buffer: bytes of a response that are taken from the app before its
        client takes them; 0 for the transport's own limits.
    @ivar response_buffer_total: bytes of all responses together.
    @ivar head_timeout: for the head of a request, from its first byte.
    @ivar keep_alive_timeout: without a request on a connection.
    @ivar body_timeout: in which a minimum of a request's body must arrive, see
        L{brxy.edge.clients.timeouts.Timeouts}.
    @ivar write_timeout: in which a client must accept a minimum of its response.
    @ivar tunnel_timeout: without a byte on a TCP connection or an upgraded one.
    @ivar stream_idle_timeout: without a byte on an exchange while its app is at work.
    @ivar tcp_keepalive: without traffic until the kernel probes whether a client is there.
    """

    max_connections: int | None = _default("max_connections")
    max_connections_per_address: int = _default("max_connections_per_address")
    max_held: int = _default("max_held")
    max_held_total: int | None = _default("max_held_total")
    max_held_per_address: int = _default("max_held_per_address")
    max_routes: int = _default("max_routes")
    wake_burst: int = _default("wake_burst")
    wake_rate: int = _default("wake_rate")
    max_body: int = _default("max_body")
    max_requests: int = _default("max_requests")
    request_buffer: int = _default("request_buffer")
    request_buffer_total: int = _default("request_buffer_total")
    response_buffer: int = _default("response_buffer")
    response_buffer_total: int = _default("response_buffer_total")
    head_timeout: float = _default("head_timeout")
    keep_alive_timeout: float = _default("keep_alive_timeout")
    body_timeout: float = _default("body_timeout")
    write_timeout: float = _default("write_timeout")
    tunnel_timeout: float = _default("tunnel_timeout")
    stream_idle_timeout: float = _default("stream_idle_timeout")
    tcp_keepalive: float = _default("tcp_keepalive")

    @property
    def held_total(self) -> int:
        """
        The number of clients that are held for all routes together, at most.
        """
        if self.max_held_total is None:
            return max(10_000, self.max_held)
        return self.max_held_total
