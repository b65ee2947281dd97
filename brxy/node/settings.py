"""
The settings of a node.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from brxy.interfaces import Address
from brxy.node.dial import EdgeTLS

__all__ = ["NodeSettings"]


@frozen
class NodeSettings:
    """
    What a node is told by its command line.

    @ivar edge: the edge, as a Twisted client endpoint.
    @ivar command: the app; empty if it runs already, at C{app}.
    @ivar app: where a running app is; L{None} if C{command} starts one.
    @ivar send_proxy: the version of the PROXY protocol that the app expects; L{None} if
        it does not.
    @ivar ticket: of the order that this node fulfils; C{""} without one.
    @ivar token: what lets it in at the edge; C{""} if nothing does.
    @ivar token_file: has the token instead.
    @ivar tls: the edge is dialled by TLS.
    @ivar idle_timeout: seconds that the newest instance stays without work.
    @ivar old_idle_timeout: seconds that an older one does.
    @ivar stop_timeout: seconds from SIGTERM to SIGKILL for the app.
    @ivar drain_timeout: seconds for what runs when the node is stopped.
    """

    edge: str
    route: str
    capacity: int
    command: Sequence[str] = ()
    app: Address | None = None
    app_port: int | None = None
    ready_path: str | None = None
    send_proxy: str | None = None
    ticket: str = ""
    token: str = field(default="", repr=False)
    token_file: str | None = None
    tls: EdgeTLS | None = None
    generation: int | None = None
    idle_timeout: float = 300.0
    old_idle_timeout: float = 10.0
    stop_timeout: float = 10.0
    drain_timeout: float = 25.0
