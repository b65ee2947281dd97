"""
C{twistd brxy-edge}: its command line, and the service it makes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.application.service import IService

from brxy.edge.config.limits import Limits
from brxy.edge.config.options import LIMITS, Options
from brxy.edge.config.settings import Allowed, EdgeSettings, NodeTLSFiles, Spawn, Spawning
from brxy.edge.config.spawnnames import SpawnNames
from brxy.edge.service import EdgeService
from brxy.errors import UsageError
from brxy.interfaces import IRecovering
from brxy.program.guarded import Guarded, fail
from brxy.program.reactors import usedReactor
from brxy.program.systemd import notifier
from brxy.scaler.rules import Rule
from brxy.spawners.registry import buildSpawner
from brxy.spawners.spec import parseSpawn
from brxy.values.networks import Networks
from brxy.values.routepattern import canonical

__all__ = ["makeService"]

NODE_PORT = "tcp:9080:interface=127.0.0.1"


def _spawns(options: Options, reactor: Any) -> tuple[list[Spawn], bool]:
    """
    @return: the spawns, and whether one of them needs a node port.
    """
    spawns = []
    dialled = False
    names = SpawnNames()
    for each in options["spawns"]:
        spec = parseSpawn(each) if isinstance(each, str) else each
        common, spawner = buildSpawner(spec, reactor)
        dialled = dialled or spawner.dials_back
        rule = Rule(
            None if common.route is None else canonical(common.route, options["default-route"]),
            options["max-instances"] if common.max is None else common.max,
            options["capacity"] if common.capacity is None else common.capacity,
            names.add(spec.name, common.name),
            IRecovering.providedBy(spawner),
        )
        spawning = Spawning(
            spawner,
            _given(common.idle_timeout, options["idle-timeout"]),
            _given(common.old_idle_timeout, options["old-idle-timeout"]),
            send_proxy=common.send_proxy,
        )
        spawns.append(Spawn(rule, spawning))
    return spawns, dialled


def _allowed(options: Options) -> list[Allowed]:
    default = options["default-route"]
    return [
        Allowed(name, None if pattern is None else canonical(pattern, default))
        for name, pattern in options["allowed"]
    ]


def _nodeTLS(options: Options) -> NodeTLSFiles | None:
    certificate, key, ca = (options[f"node-tls-{name}"] for name in ("cert", "key", "ca"))
    if certificate and key:
        return NodeTLSFiles(certificate, key, ca)
    if certificate or key or ca:
        raise UsageError("for TLS on the node port give --node-tls-cert and --node-tls-key")
    return None


def _given(value: float | None, default: float) -> float:
    return default if value is None else value


def makeService(options: Options) -> IService:
    """
    The edge as a service, for twistd.
    """
    reactor = usedReactor(options["transport"])
    try:
        spawns, dialled = _spawns(options, reactor)
        node_ports: Sequence[str] = options["node_ports"]
        if not node_ports and (dialled or not spawns):
            node_ports = [NODE_PORT]
        settings = EdgeSettings(
            ports=options["ports"],
            frontends=options["frontends"],
            node_ports=node_ports,
            spawns=spawns,
            routes=options["routes"],
            default_route=options["default-route"],
            default_route_for_all=bool(options["default-route-for-all"]),
            max_total=options["max-total"],
            hold_timeout=options["hold-timeout"],
            limits=Limits(**{name.replace("-", "_"): options[name] for name, *_ in LIMITS}),
            start_timeout=options["start-timeout"],
            response_timeout=options["response-timeout"],
            retries=options["retries"],
            drain_timeout=options["drain-timeout"],
            state_dir=options["state-dir"],
            token_file=options["token-file"],
            allowed=_allowed(options),
            node_tls=_nodeTLS(options),
            insecure_node_port=bool(options["insecure-node-port"]),
            proxy_trust=Networks(options["proxy_trust"]),
            forwarded_trust=Networks(options["forwarded_trust"]),
            tls_ports=options["tls_ports"],
            tls_frontends=options["tls_frontends"],
            tls_certs=options["tls-certs"],
            sni_ports=options["sni_ports"],
            hsts=options["hsts"],
            https_redirect=options["https-redirect"],
        )
        service = EdgeService(reactor, settings, notifier(os.environ))
    except UsageError as error:
        fail(options.program, error)
    return Guarded(options.program, options.foreground(), service)
