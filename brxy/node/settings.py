"""
The settings of a node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from attrs import field, frozen

from brxy.apps.settings import AppSettings
from brxy.interfaces import Address
from brxy.node.dial import EdgeTLS
from brxy.node.fields import FIELDS
from brxy.processes.place import User

__all__ = ["NodeSettings"]


_default = FIELDS.default


@frozen
class NodeSettings:
    """
    The settings of a node.  Times are in seconds.

    @ivar edge: where the node port of the edge is, as a Twisted client endpoint.
    @ivar route: the route that the app serves.
    @ivar capacity: how many exchanges the app takes at once, or
        L{brxy.values.capacity.AUTO}.
    @ivar max_capacity: the highest capacity that is learned.
    @ivar speaks_first: the end of a TCP connection that sends first: C{"client"} or
        C{"server"}.
    @ivar command: starts the app; empty if an app runs already, at C{app}.
    @ivar app: where a running app listens; L{None} if C{command} starts one.
    @ivar app_port: the port that the app listens on; L{None} for a free one.
    @ivar env: variables for the environment of the app.
    @ivar env_file: further variables.
    @ivar cwd: the working directory of the app; L{None}: that of the node.
    @ivar user: the user that the app runs as; L{None}: the user of the node.
    @ivar ready_path: the app is ready when a GET of this path is answered; L{None}: when
        it accepts a connection.
    @ivar ready_command: what must succeed before the app is ready.
    @ivar ready_log: what a line of its output must match before the app is ready.
    @ivar send_proxy: the version of the PROXY protocol that the app expects; L{None} if
        it expects no header.
    @ivar ticket: of the order that this node fulfils; C{""} if there is none.
    @ivar token: the token for the edge; C{""} if there is none.
    @ivar token_file: the file with the token for the edge, which counts for more.
    @ivar tls: how the edge is dialled over TLS; L{None} without TLS.
    @ivar generation: when the instance was ordered; L{None} if it was not.
    @ivar idle_timeout: how long the newest instance of a route stays idle.
    @ivar old_idle_timeout: how long an older instance stays idle.
    @ivar stop_signal: the signal that stops the app.
    @ivar stop_timeout: how long the app may take to end after the stop signal.
    @ivar drain_timeout: how long running exchanges may continue when the node is stopped.
    """

    edge: str
    route: str
    capacity: int
    command: Sequence[str] = ()
    max_capacity: int = _default("max_capacity")
    speaks_first: str = _default("speaks_first")
    app: Address | None = _default("app")
    app_port: int | None = _default("app_port")
    env: Sequence[tuple[str, str]] | None = _default("env")
    env_file: Mapping[str, str] | None = _default("env_file")
    cwd: str | None = _default("cwd")
    user: User | None = _default("user")
    ready_path: str | None = _default("ready_path")
    ready_command: Sequence[str] | None = _default("ready_command")
    ready_log: re.Pattern[str] | None = _default("ready_log")
    send_proxy: str | None = _default("send_proxy")
    ticket: str = _default("ticket")
    token: str = field(default=_default("token"), repr=False)
    token_file: str | None = _default("token_file")
    tls: EdgeTLS | None = None
    generation: int | None = _default("generation")
    idle_timeout: float = _default("idle_timeout")
    old_idle_timeout: float = _default("old_idle_timeout")
    stop_signal: str = _default("stop_signal")
    stop_timeout: float = _default("stop_timeout")
    drain_timeout: float = _default("drain_timeout")

    @property
    def running(self) -> AppSettings:
        """
        How the app is run.
        """
        return AppSettings(
            port=self.app_port,
            env=dict(self.env or ()),
            env_file=self.env_file,
            cwd=self.cwd,
            user=self.user,
            ready_path=self.ready_path,
            ready_command=self.ready_command,
            ready_log=self.ready_log,
            send_proxy=self.send_proxy,
            stop_signal=self.stop_signal,
            stop_timeout=self.stop_timeout,
        )
