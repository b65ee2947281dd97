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
    The settings of a node.

    @ivar edge: the edge, as a Twisted client endpoint.
    @ivar command: what starts the app; empty if it runs already, at C{app}.
    @ivar app: where a running app is; L{None} if C{command} starts one.
    @ivar send_proxy: the version of the PROXY protocol that the app expects; L{None} if
        it does not.
    @ivar ticket: the ticket of the order that started this node; C{""} if none did.
    @ivar token: the token for the edge; C{""} if the node has none.
    @ivar token_file: a file with the token, in place of C{token}.
    @ivar tls: the files for TLS to the edge; L{None} without TLS.
    @ivar generation: the generation that the edge gave to the order.
    @ivar idle_timeout: seconds for which the newest instance stays without exchanges.
    @ivar old_idle_timeout: seconds for which an older one does.
    @ivar stop_timeout: seconds from SIGTERM to SIGKILL for the app.
    @ivar drain_timeout: seconds for running exchanges when the node is stopped.
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
