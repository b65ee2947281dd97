"""
The settings of an edge, as plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from brxy.edge.config.adminport import AdminPort
from brxy.edge.config.fields import FIELDS
from brxy.edge.config.kinds import Frontend
from brxy.edge.config.limits import Limits
from brxy.edge.routing.errorpages import ErrorPages
from brxy.edge.routing.settings import RoutedHosts
from brxy.interfaces import ISpawner
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule
from brxy.spawners.spec import SpawnSpec
from brxy.values.networks import NOBODY, Networks

__all__ = [
    "TOKEN",
    "Allowed",
    "EdgeSettings",
    "MetricsSettings",
    "NodeTLSFiles",
    "Spawn",
    "Spawning",
]


_default = FIELDS.default

#: The name of an L{Allowed} that is about nodes with the token of C{--token-file}.
TOKEN = "token"


@frozen
class Allowed:
    """
    One C{--node-allow}: a node that may serve some routes.

    @ivar name: a name in the node's certificate, or L{TOKEN}.
    @ivar pattern: the routes, see L{brxy.values.routepattern.covers}.
    """

    name: str
    pattern: str | None


@frozen
class NodeTLSFiles:
    """
    The PEM files for TLS between nodes and the edge.

    @ivar certificate: the edge's own certificate, with its chain.
    @ivar key: the key of that certificate.
    @ivar ca: the authorities that issue the certificates of nodes; L{None} if nodes need
        no certificate.
    """

    certificate: str
    key: str
    ca: str | None = None


@frozen
class MetricsSettings:
    """
    What is counted for Prometheus.

    @ivar on: anything at all.
    @ivar routes: how many routes have metrics of their own, at most.
    @ivar codes: requests are counted by their exact status.
    """

    on: bool = _default("metrics.on")
    routes: int = _default("metrics.routes")
    codes: bool = _default("metrics.codes")


@frozen
class Spawning:
    """
    How the instances of one C{--spawn} are started, and when they leave.

    @ivar idle_timeout: how long the newest instance of a route stays idle, in seconds.
    @ivar old_idle_timeout: how long an older instance stays idle, in seconds.
    @ivar send_proxy: the version of the PROXY protocol in which apps are sent the
        addresses of clients; L{None} if they are not.
    @ivar speaks_first: the end of a TCP connection that sends first: C{"client"} or
        C{"server"}.
    """

    spawner: ISpawner
    idle_timeout: float
    old_idle_timeout: float
    send_proxy: str | None = None
    speaks_first: str = "client"


@frozen
class Spawn:
    """
    One C{--spawn}: the routes that it serves, its limits, and how it starts instances.

    @ivar spec: what it was made of; L{None} if that is not known.
    @ivar on_change: what becomes of its instances when a reload changes how they are started.
    """

    rule: Rule
    spawning: Spawning
    spec: SpawnSpec | None = None
    on_change: OnChange = OnChange.ROLL


@frozen
class EdgeSettings:
    """
    The settings of an edge.  Endpoints are Twisted server endpoint strings, times are in
    seconds.

    @ivar ports: where HTTP clients connect.
    @ivar frontends: where TCP clients connect, each with the name of its route.
    @ivar node_ports: where nodes dial in.
    @ivar private_node_port: nodes on this machine that the edge has spawned dial in at a
        Unix socket that no other edge has.
    @ivar aliases: the routes of the hosts and patterns that lead to another route; for the name
        of a route that no host has, C{""}.
    @ivar routed: the routes that have settings for their requests.
    @ivar routes: the only routes that are served; empty: see C{--route}.
    @ivar default_route: the route of C{localhost} and of all IP addresses.
    @ivar default_route_for_all: it is also the route of every host that is not named.
    @ivar max_total: instances of all routes together, at most.
    @ivar hold_timeout: how long a client is held.
    @ivar start_timeout: how long an instance may take to become ready.
    @ivar response_timeout: how long an app may take to begin its response; L{None} for
        any time.
    @ivar retries: how often a lost exchange is offered again.
    @ivar drain_timeout: how long the edge goes on serving its clients when it is stopped.
    @ivar upgrade_timeout: how long the edge serves what it has when another one has taken its
        place.
    @ivar state_dir: the folder of the state file; L{None} if nothing is remembered.
    @ivar token_file: the file with the token of nodes that the edge did not spawn.
    @ivar allowed: which nodes may serve which routes; empty: every admitted node may
        serve every route.
    @ivar node_tls: the files for TLS on all node ports except Unix sockets; L{None}
        without TLS.
    @ivar insecure_node_port: other machines may reach a node port without TLS.
    @ivar proxy_trust: addresses whose connections begin with a PROXY header.
    @ivar forwarded_trust: addresses whose C{X-Forwarded-*} fields are kept.
    @ivar tls_ports: where HTTPS clients connect.
    @ivar tls_frontends: where TCP clients connect over TLS.
    @ivar tls_certs: the folder with the certificates for C{tls_ports} and
        C{tls_frontends}.
    @ivar sni_ports: where TLS clients connect whose connections are passed on undecrypted.
    @ivar half_closed: what becomes of an HTTP client that half-closes after its request:
        C{"serve"} or C{"abort"}.
    @ivar hsts: how long browsers are to use only HTTPS; L{None} to send no such field.
    @ivar https_redirect: the port of HTTPS to which clients of C{ports} are redirected;
        L{None} if they are not.
    @ivar admin: where the admin API is served.
    @ivar private_admin: it is also served at a socket in the state folder.
    @ivar admin_token_file: the file with the token for C{admin} ports other than Unix
        sockets.
    @ivar health_path: the path at which the edge answers health checks on the ports for HTTP
        clients; L{None} if apps answer all paths.
    @ivar error_pages: pages for the edge's own errors; L{None} for none.
    @ivar access_log: the file of the access log, or C{-}; L{None} for none.
    @ivar access_log_format: C{json} or C{combined}.
    @ivar access_log_sample: the share of exchanges that it has.
    @ivar app_log_dir: the folder for what instances print; L{None} if the log has it.
    @ivar log_format: of these files: C{text} or C{json}.
    @ivar request_ids: each response has the X-Request-ID of its request.
    @ivar receipts: each response says how long its client was held.
    @ivar metrics: what is counted for Prometheus.
    @ivar watched: the folders in which a change of some names, or of names that match a pattern,
        causes a reload.
    @ivar trace_slow: the seconds after which a response that has not begun is traced.
    """

    ports: Sequence[str]
    frontends: Sequence[tuple[str, str]] = ()
    node_ports: Sequence[str] = ()
    private_node_port: bool = False
    spawns: Sequence[Spawn] = ()
    aliases: Mapping[str, str] = field(factory=dict)
    routed: Sequence[RoutedHosts] = ()
    routes: Sequence[str] = ()
    default_route: str = _default("default_route")
    default_route_for_all: bool = _default("default_route_for_all")
    max_total: int = _default("max_total")
    hold_timeout: float = _default("hold_timeout")
    limits: Limits = Limits()
    start_timeout: float = _default("start_timeout")
    response_timeout: float | None = _default("response_timeout")
    retries: int = _default("retries")
    drain_timeout: float = _default("drain_timeout")
    upgrade_timeout: float = _default("upgrade_timeout")
    state_dir: str | None = _default("state_dir")
    token_file: str | None = _default("token_file")
    allowed: Sequence[Allowed] = ()
    node_tls: NodeTLSFiles | None = None
    insecure_node_port: bool = _default("insecure_node_port")
    proxy_trust: Networks = NOBODY
    forwarded_trust: Networks = NOBODY
    tls_ports: Sequence[str] = ()
    tls_frontends: Sequence[Frontend] = ()
    tls_certs: str | None = _default("tls_certs")
    sni_ports: Sequence[str] = ()
    half_closed: str = _default("half_closed")
    hsts: int | None = _default("hsts")
    https_redirect: int | None = _default("https_redirect")
    admin: Sequence[AdminPort] = ()
    private_admin: bool = False
    admin_token_file: str | None = _default("admin_token_file")
    health_path: str | None = _default("health_path")
    error_pages: ErrorPages | None = _default("error_pages")
    access_log: str | None = _default("access_log")
    access_log_format: str = _default("access_log_format")
    access_log_sample: float = _default("access_log_sample")
    app_log_dir: str | None = _default("app_log_dir")
    log_format: str = "text"
    request_ids: bool = _default("request_ids")
    receipts: bool = _default("receipts")
    metrics: MetricsSettings = MetricsSettings()
    watched: Mapping[str, frozenset[str]] = field(factory=dict)
    trace_slow: float = _default("trace_slow")
