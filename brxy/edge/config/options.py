"""
The command line of an edge.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.python import usage

from brxy.program.options import Options as CommonOptions
from brxy.program.reactors import TRANSPORT
from brxy.reactor.endpoints import serverEndpoint
from brxy.spawners.describe import describeSpawners
from brxy.spawners.registry import findSpawners
from brxy.spawners.spec import SpawnSpec, routePattern
from brxy.values.converters import atLeastOne, capacity, count, port, positive, route, seconds
from brxy.values.networks import Networks
from brxy.values.routename import routeName

__all__ = ["LIMITS", "Options"]

# What becomes L{Limits}: each is a field of that name.
LIMITS: list[list[Any]] = [
    ["max-connections", None, None, "Clients at once. [default: as files allow]", atLeastOne],
    ["max-connections-per-address", None, 0, "Of one address; 0: any number.", count],
    ["max-held", None, 1000, "Clients held for one route at most; others get 503.", count],
    ["max-held-total", None, None, "For all routes. [default: 10000 or --max-held]", atLeastOne],
    ["max-held-per-address", None, 0, "Of one address, else 429; 0: any number.", count],
    ["max-routes", None, 10_000, "Routes known at once, else 503; 0: any number.", count],
    ["wake-burst", None, 20, "Routes an address may wake at once, else 429.", atLeastOne],
    ["wake-rate", None, 6, "And how many more in a minute; 0: any number.", count],
    ["max-body", None, 0, "Bytes of a request's body, else 413; 0: any number.", count],
    ["max-requests", None, 0, "Requests on a connection; 0: any number.", count],
    ["head-timeout", None, 15.0, "For a request's head, else 408.", positive],
    ["keep-alive-timeout", None, 75.0, "Between two requests; 0: any time.", seconds],
    ["body-timeout", None, 30.0, "Some of a body must come in this, else 408.", seconds],
    ["write-timeout", None, 60.0, "Some of an answer must be taken in this.", seconds],
    ["tunnel-timeout", None, 0.0, "Silence on TCP and upgraded connections.", seconds],
]


class Options(CommonOptions):
    """
    The options of the edge.
    """

    program = "brxy-edge"

    synopsis = "[options] [-- command...]"

    longdesc = (
        "Accepts clients and holds them while no instance of their app is free. "
        "A command after -- is what --spawn would be given."
    )

    optParameters = [
        ["default-route", None, "default", "The route of localhost and of IP addresses."],
        ["capacity", "c", 1, "Exchanges that an instance takes at once.", capacity],
        ["max-instances", None, 10, "Instances of a route at most.", count],
        ["max-total", None, 100, "Instances of all routes at most.", count],
        ["hold-timeout", None, 60.0, "A client is held so long at most; then 503.", seconds],
        *LIMITS,
        ["start-timeout", None, 50.0, "An instance must be ready after this.", seconds],
        ["response-timeout", None, None, "An app must answer after this, else 504.", seconds],
        ["retries", None, 3, "A lost exchange is offered again so often.", count],
        ["drain-timeout", None, 30.0, "For finishing when the edge is stopped.", seconds],
        ["idle-timeout", None, 300.0, "What is spawned leaves when idle for so long.", seconds],
        ["old-idle-timeout", None, 10.0, "The same, if there is a newer instance.", seconds],
        ["state-dir", None, None, "A folder for what outlives a restart."],
        ["token-file", None, None, "A file with the token of nodes that the edge did not spawn; "
         "made if there is none."],
        ["node-tls-cert", None, None, "The edge's certificate for nodes, which come by TLS then."],
        ["node-tls-key", None, None, "Its key."],
        ["node-tls-ca", None, None, "Nodes must show a certificate of an authority in this file."],
        ["tls-certs", None, None, "A folder with the certificates for clients, and their keys."],
        ["hsts", None, None, "Seconds for which browsers shall come by nothing but https.", count],
        ["https-redirect", None, None, "Send clients of --port to https, at this port.", port],
        TRANSPORT,
    ]  # fmt: skip

    optFlags = [
        ["default-route-for-all", None, "It is also the route of every host not named."],
        ["insecure-node-port", None, "Nodes may come from elsewhere without TLS."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self["ports"] = []
        self["frontends"] = []
        self["node_ports"] = []
        self["tls_ports"] = []
        self["tls_frontends"] = []
        self["sni_ports"] = []
        self["allowed"] = []
        self["spawns"] = []
        self["routes"] = []
        self["proxy_trust"] = []
        self["forwarded_trust"] = []

    def opt_port(self, value: str) -> None:
        """
        Where HTTP clients connect: a port number, or a Twisted server endpoint. May be repeated.
        [default: 8080]
        """
        self["ports"].append(_portEndpoint(value))

    opt_p = opt_port

    def opt_tls_port(self, value: str) -> None:
        """
        Where HTTP clients connect by TLS: a port number, or a Twisted server endpoint. May be
        repeated; needs --tls-certs.
        """
        self["tls_ports"].append(_portEndpoint(value))

    def opt_sni_port(self, value: str) -> None:
        """
        Where TLS clients connect that are passed on, unopened, to the route of the name they ask
        for: a port number, or a Twisted server endpoint. May be repeated.
        """
        self["sni_ports"].append(_portEndpoint(value))

    def opt_tcp(self, value: str) -> None:
        """
        NAME=ENDPOINT: a TCP frontend, which is the route NAME; with NAME=tls:ENDPOINT clients
        connect by TLS (see --tls-certs). May be repeated.
        """
        name, equals, endpoint = value.partition("=")
        if not equals:
            raise usage.UsageError(f"--tcp {value!r} is not NAME=ENDPOINT")
        by_tls = endpoint.startswith("tls:")
        frontends = self["tls_frontends" if by_tls else "frontends"]
        frontends.append((_route(name), _portEndpoint(endpoint.removeprefix("tls:"))))

    def opt_node_port(self, value: str) -> None:
        """
        Where nodes dial in: a Twisted server endpoint. May be repeated.
        [default: tcp:9080:interface=127.0.0.1, when a node is needed]
        """
        self["node_ports"].append(_endpoint(value))

    def opt_node_allow(self, value: str) -> None:
        """
        NAME=ROUTE: nodes with NAME in their certificate may serve ROUTE (or *.DOMAIN, or * for
        all), and nobody else any route not given to them so; the NAME "token" means those that
        bring the token of --token-file. May be repeated.
        """
        name, equals, pattern = value.partition("=")
        if not equals or routeName(name) is None:
            raise usage.UsageError(f"--node-allow {value!r} is not NAME=ROUTE")
        try:
            self["allowed"].append((name, None if pattern == "*" else routePattern(pattern)))
        except ValueError as error:
            raise usage.UsageError(f"bad --node-allow {value!r}: {error}") from None

    def opt_spawn(self, value: str) -> None:
        """
        How instances are started: "NAME: key=value... -- command", or a command, which ends up
        running a node. May be repeated; the first that serves a route starts its instances.
        """
        self["spawns"].append(value)

    def opt_help_spawners(self) -> None:
        """
        Tell which spawners there are, and what each can be told.
        """
        sys.stdout.write(describeSpawners(*findSpawners()))
        raise SystemExit(0)

    def opt_route(self, value: str) -> None:
        """
        A host that is served; when given, all others get 404. May be repeated.
        """
        self["routes"].append(_route(value))

    def opt_proxy_trust(self, value: str) -> None:
        """
        Proxies that begin each connection with a PROXY header, version 1 or 2: an address, a
        network as 10.0.0.0/8, or unix. May be repeated.
        """
        self["proxy_trust"].append(_network("proxy-trust", value))

    def opt_forwarded_trust(self, value: str) -> None:
        """
        Proxies whose X-Forwarded-For, -Proto and -Host are kept: an address, a network as
        10.0.0.0/8, or unix. May be repeated.
        """
        self["forwarded_trust"].append(_network("forwarded-trust", value))

    def parseArgs(self, *command: str) -> None:
        """
        What follows C{--} is a command for C{process:}.
        """
        if command:
            self["spawns"].append(SpawnSpec("process", {}, command))

    def postOptions(self) -> None:
        """
        See L{usage.Options}.
        """
        self["default-route"] = _route(self["default-route"])
        by_tls = self["tls_ports"] or self["tls_frontends"]
        if not (self["ports"] or self["frontends"] or by_tls or self["sni_ports"]):
            self["ports"].append("tcp:8080")
        if by_tls and not self["tls-certs"]:
            raise usage.UsageError("clients can't come by TLS without --tls-certs")
        if self["tls-certs"] and not by_tls:
            raise usage.UsageError("--tls-certs is for --tls-port, or --tcp NAME=tls:ENDPOINT")
        self.withoutPidfile()


def _portEndpoint(text: str) -> str:
    return _endpoint(f"tcp:{text}" if text.isdigit() else text)


def _endpoint(text: str) -> str:
    try:
        return serverEndpoint(text, "use --tls-port, or --node-tls-cert for nodes")
    except ValueError as error:
        raise usage.UsageError(f"bad endpoint {text!r}: {error}") from None


def _route(text: str) -> str:
    try:
        return route(text)
    except ValueError as error:
        raise usage.UsageError(str(error)) from None


def _network(option: str, text: str) -> str:
    try:
        Networks([text])
    except ValueError as error:
        raise usage.UsageError(f"bad --{option} {text!r}: {error}") from None
    return text
