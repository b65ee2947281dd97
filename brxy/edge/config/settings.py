"""
What an edge is told.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from brxy.edge.config.limits import Limits
from brxy.interfaces import ISpawner
from brxy.scaler.rules import Rule
from brxy.values.networks import NOBODY, Networks

__all__ = ["TOKEN", "Allowed", "EdgeSettings", "NodeTLSFiles", "Spawn", "Spawning"]


#: What stands for a certificate's name where the token of the file is meant.
TOKEN = "token"


@frozen
class Allowed:
    """
    One C{--node-allow}.

    @ivar name: of the certificate; or L{TOKEN}.
    @ivar pattern: the routes, see L{covers}.
    """

    name: str
    pattern: str | None


@frozen
class NodeTLSFiles:
    """
    The PEM files for it.

    @ivar certificate: the edge's own.
    @ivar key: its key.
    @ivar ca: the authorities of the nodes' certificates; L{None}: they need none.
    """

    certificate: str
    key: str
    ca: str | None = None


@frozen
class Spawning:
    """
    One C{--spawn}.

    @ivar idle_timeout: how long the newest instance of a route may be idle,
        in seconds.
    @ivar old_idle_timeout: the same for an older one.
    @ivar send_proxy: the version of the PROXY protocol by which apps are told of
        clients, if they are.
    """

    spawner: ISpawner
    idle_timeout: float
    old_idle_timeout: float
    send_proxy: str | None = None


@frozen
class Spawn:
    """
    One C{--spawn}: which routes it serves, within which limits, and how.
    """

    rule: Rule
    spawning: Spawning


@frozen
class EdgeSettings:
    """
    What an edge is told by its command line.  Endpoints are Twisted server
    endpoint strings, times are seconds.

    @ivar ports: where HTTP clients connect.
    @ivar frontends: where TCP clients connect, with the names of their routes.
    @ivar node_ports: where nodes dial in.
    @ivar routes: the only ones served, if any is named.
    @ivar tls_ports: as C{ports}, by https.
    @ivar tls_frontends: as C{frontends}, by TLS.
    @ivar tls_certs: the folder with the certificates for both.
    @ivar sni_ports: where TLS clients connect that are passed on as they are.
    @ivar hsts: browsers shall come by nothing but https for so many seconds.
    @ivar https_redirect: the port of https, if those who come by http are sent there.
    @ivar token_file: has the token of nodes that nobody spawned.
    @ivar allowed: who may be a node of which routes; empty: all that are let in.
    @ivar node_tls: nodes come by TLS, except on Unix sockets.
    @ivar insecure_node_port: nodes may come from elsewhere without TLS.
    @ivar proxy_trust: whose connections begin with a PROXY header.
    @ivar forwarded_trust: whose X-Forwarded-For, -Proto and -Host count.
    """

    ports: Sequence[str]
    frontends: Sequence[tuple[str, str]] = ()
    node_ports: Sequence[str] = ()
    spawns: Sequence[Spawn] = ()
    routes: Sequence[str] = ()
    default_route: str = "default"
    default_route_for_all: bool = False
    max_total: int = 100
    hold_timeout: float = 60.0
    limits: Limits = Limits()
    start_timeout: float = 50.0
    response_timeout: float | None = None
    retries: int = 3
    drain_timeout: float = 30.0
    state_dir: str | None = None
    token_file: str | None = None
    allowed: Sequence[Allowed] = ()
    node_tls: NodeTLSFiles | None = None
    insecure_node_port: bool = False
    proxy_trust: Networks = NOBODY
    forwarded_trust: Networks = NOBODY
    tls_ports: Sequence[str] = ()
    tls_frontends: Sequence[tuple[str, str]] = ()
    tls_certs: str | None = None
    sni_ports: Sequence[str] = ()
    hsts: int | None = None
    https_redirect: int | None = None
