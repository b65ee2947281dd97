"""
The plugin of C{twistd brxy-edge}: makes the service of an edge from its command line.

Modules for twistd are called C{tap} by convention, and C{twistd} looks here for C{Options}
and C{makeService}.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

from twisted.application.service import IService

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.limits import Limits
from brxy.edge.config.nodeports import defaultNodePorts
from brxy.edge.config.options import Options
from brxy.edge.config.served import checkServed
from brxy.edge.config.settings import (
    Allowed,
    EdgeSettings,
    MetricsSettings,
    NodeTLSFiles,
    Spawn,
    Spawning,
)
from brxy.edge.config.spawnnames import SpawnNames
from brxy.edge.service import EdgeService
from brxy.errors import UsageError
from brxy.interfaces import ILimited, IRecovering, ISpawner
from brxy.program.guarded import Guarded, fail
from brxy.program.logs import logObserver
from brxy.program.places import checkPlaces
from brxy.program.reactors import usedReactor
from brxy.program.systemd import notifier
from brxy.scaler.rules import Rule
from brxy.spawners.registry import buildSpawner
from brxy.spawners.spec import parseSpawn
from brxy.values.networks import Networks
from brxy.values.routepattern import canonical

__all__ = ["makeService"]

_Number = TypeVar("_Number", int, float)


def _spawns(options: Options, reactor: Any) -> list[Spawn]:
    spawns = []
    names = SpawnNames()
    for each in options["spawn"]:
        spec = parseSpawn(each) if isinstance(each, str) else each
        common, spawner = buildSpawner(spec, reactor)
        rule = Rule(
            None if common.route is None else canonical(common.route, options["default-route"]),
            _most(spawner, options["max-instances"] if common.max is None else common.max),
            _given(common.capacity, options["capacity"]),
            names.add(spec.name, common.name),
            IRecovering.providedBy(spawner),
            _given(common.max_capacity, options["max-capacity"]),
        )
        spawning = Spawning(
            spawner,
            _given(common.idle_timeout, options["idle-timeout"]),
            _given(common.old_idle_timeout, options["old-idle-timeout"]),
            send_proxy=common.send_proxy,
            speaks_first=common.speaks_first,
        )
        spawns.append(Spawn(rule, spawning))
    return spawns


def _most(spawner: ISpawner, given: int) -> int:
    limit = ILimited(spawner).limit if ILimited.providedBy(spawner) else None
    return given if limit is None else min(given, limit)


def _allowed(options: Options) -> list[Allowed]:
    default = options["default-route"]
    return [
        Allowed(name, None if pattern is None else canonical(pattern, default))
        for name, pattern in options["node-allow"]
    ]


def _nodeTLS(options: Options) -> NodeTLSFiles | None:
    files = FIELDS.values(options, "node_tls.")
    if files["certificate"] and files["key"]:
        return NodeTLSFiles(**files)
    if any(files.values()):
        raise UsageError("for TLS on the node port give --node-tls-cert and --node-tls-key")
    return None


def _given(value: _Number | None, default: _Number) -> _Number:
    return default if value is None else value


def _settings(options: Options, reactor: Any) -> EdgeSettings:
    spawns = _spawns(options, reactor)
    values = FIELDS.values(options)
    if not options["node-port"]:
        values["private_node_port"], default = defaultNodePorts(
            [each.spawning.spawner for each in spawns],
            strangers=bool(options["token-file"]),
            over_tls=bool(options["node-tls-cert"]),
        )
        values["node_ports"] = [FIELDS["node-port"].value] if default else []
    tcp = values["frontends"]
    if spawns and not (options["node-port"] or options["token-file"] or options["node-tls-cert"]):
        # No node of another origin can come.
        patterns = [each.rule.pattern for each in spawns]
        checkServed("--tcp", [each.route for each in tcp], patterns)
        checkServed("--route", values["routes"], patterns)
    values["private_admin"] = bool(options["state-dir"]) and None not in options["admin"]
    values.update(
        admin=[each for each in options["admin"] if each is not None],
        frontends=[(each.route, each.endpoint) for each in tcp if not each.over_tls],
        tls_frontends=[each for each in tcp if each.over_tls],
        spawns=spawns,
        allowed=_allowed(options),
        limits=Limits(**FIELDS.values(options, "limits.")),
        metrics=MetricsSettings(**FIELDS.values(options, "metrics.")),
        node_tls=_nodeTLS(options),
        proxy_trust=Networks(options["proxy-trust"]),
        forwarded_trust=Networks(options["forwarded-trust"]),
        log_format=options["log-format"],
    )
    return EdgeSettings(**values)


def makeService(options: Options) -> IService:
    """
    The edge as a service, for twistd.
    """
    reactor = usedReactor(options["transport"])
    options.keepUmask()
    try:
        checkPlaces(options.parent)
        observer = logObserver(
            reactor,
            options.parent,
            os.environ,
            options["log-format"],
            with_output=options["app-log-dir"] is None,
        )
        settings = _settings(options, reactor)
        service = EdgeService(reactor, settings, notifier(os.environ))
        if not options.foreground():
            service.check()
    except UsageError as error:
        fail(options.program, error)
    return Guarded(options.program, options.foreground(), service, reactor, observer)
