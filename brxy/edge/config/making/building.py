"""
Makes the settings object of an edge from the values of its settings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.kinds import Frontend
from brxy.edge.config.limits import Limits
from brxy.edge.config.making.completing import Conflict
from brxy.edge.config.nodeports import defaultNodePorts
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
from brxy.edge.routing.settings import RoutedHosts
from brxy.errors import UsageError
from brxy.interfaces import ILimited, IRecovering, ISpawner, ISpawnerFactory
from brxy.scaler.rolls import OnChange
from brxy.scaler.rules import Rule
from brxy.spawners.registry import findSpawner
from brxy.spawners.spec import SpawnSpec, parseSpawn, splitCommon
from brxy.values.networks import Networks
from brxy.values.routepattern import canonical

__all__ = ["SpawnMaker", "makeSettings"]

_Number = TypeVar("_Number", int, float)


class SpawnMaker:
    """
    Makes the spawns of an edge, in the order in which they count.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        reactor: Any,
        before: Iterable[Spawn] = (),
        values_before: Mapping[str, Any] | None = None,
    ) -> None:
        """
        @param values: those of all settings, by their names.
        @param before: the spawns that hold now.
        @param values_before: with which values of settings they were made.
        """
        self._before = {each.rule.name: each for each in before}
        names = [each.name for each in FIELDS if each.spawn_key]
        self._is_same = values_before is not None and all(
            values[name] == values_before[name] for name in ("default-route", *names)
        )
        self._values = values
        self._reactor = reactor
        self._names = SpawnNames()
        # To find one takes long.
        self._factories: dict[str, ISpawnerFactory] = {}

    def make(self, given: str | SpawnSpec) -> Spawn:
        """
        Make the next spawn.  Its spawner starts nothing yet.

        @param given: a C{--spawn}.
        @raise UsageError: it can't be used.
        """
        spec = parseSpawn(given) if isinstance(given, str) else given
        if spec.name not in self._factories:
            self._factories[spec.name] = findSpawner(spec.name)
        factory = self._factories[spec.name]
        common, own = splitCommon(spec, factory.options)
        spawner = factory.create(own, spec.command, self._reactor)
        values = self._values
        rule = Rule(
            None if common.route is None else canonical(common.route, values["default-route"]),
            _most(spawner, values["max-instances"] if common.max is None else common.max),
            _given(common.capacity, values["capacity"]),
            self._names.add(spec.name, common.name),
            IRecovering.providedBy(spawner),
            _given(common.max_capacity, values["max-capacity"]),
        )
        spawning = Spawning(
            spawner,
            _given(common.idle_timeout, values["idle-timeout"]),
            _given(common.old_idle_timeout, values["old-idle-timeout"]),
            send_proxy=common.send_proxy,
            speaks_first=common.speaks_first,
        )
        return Spawn(rule, spawning, spec, OnChange(common.on_change))

    def makeOrKeep(self, spec: SpawnSpec, must_keep: bool) -> Spawn:
        """
        Make the next spawn, or take the one that holds now if nothing of it has changed.

        @param spec: it has a name.
        @param must_keep: take that one even if it has.
        @raise UsageError: it can't be used.
        """
        old = self._before.get(spec.options["name"])
        if old is None or not (must_keep or (self._is_same and old.spec == spec)):
            return self.make(spec)
        self._names.add(spec.name, old.rule.name)
        return old


def _most(spawner: ISpawner, given: int) -> int:
    limit = ILimited(spawner).limit if ILimited.providedBy(spawner) else None
    return given if limit is None else min(given, limit)


def _given(value: _Number | None, default: _Number) -> _Number:
    return default if value is None else value


def makeSettings(
    values: Mapping[str, Any],
    spawns: Sequence[Spawn],
    aliases: Mapping[str, str] | None = None,
    routed: Sequence[RoutedHosts] = (),
    places: Mapping[str, frozenset[str]] | None = None,
) -> Generator[None, None, EdgeSettings]:
    """
    Make the settings object of an edge, in steps.

    @param values: those of all settings, by their names.
    @param spawns: of the command line and of configuration files.
    @param aliases: see L{EdgeSettings}.
    @param routed: see L{EdgeSettings}.
    @param places: where changes of configuration files show.
    @raise Conflict: a route that the settings name can't be served.
    """
    spawners = [each.spawning.spawner for each in spawns]
    yield
    fields = {**FIELDS.values(values), **_nodePorts(values, spawners)}
    yield
    _checkRoutes(values, spawns, fields)
    yield
    fields.update(
        _ports(values, fields["frontends"]),
        spawns=spawns,
        aliases=aliases or {},
        routed=routed,
        allowed=_allowed(values),
        limits=Limits(**FIELDS.values(values, "limits.")),
        metrics=MetricsSettings(**FIELDS.values(values, "metrics.")),
        node_tls=_nodeTLS(values),
        proxy_trust=Networks(values["proxy-trust"]),
        forwarded_trust=Networks(values["forwarded-trust"]),
        log_format=values["log-format"],
        watched=(places or {}) if values["watch"] else {},
    )
    return EdgeSettings(**fields)


def _ports(values: Mapping[str, Any], tcp: Sequence[Frontend]) -> dict[str, Any]:
    """
    @param tcp: the TCP frontends, with TLS and without.
    @return: the fields for the ports of the admin API and of TCP clients.
    """
    return {
        "private_admin": bool(values["state-dir"]) and None not in values["admin"],
        "admin": [each for each in values["admin"] if each is not None],
        "frontends": [(each.route, each.endpoint) for each in tcp if not each.over_tls],
        "tls_frontends": [each for each in tcp if each.over_tls],
    }


def _nodePorts(values: Mapping[str, Any], spawners: Sequence[ISpawner]) -> dict[str, Any]:
    """
    @return: the fields for the ports of nodes, unless the settings name a port.
    """
    if values["node-port"]:
        return {}
    private, default = defaultNodePorts(
        spawners,
        strangers=bool(values["token-file"]),
        over_tls=bool(values["node-tls-cert"]),
    )
    ports = [FIELDS["node-port"].value] if default else []
    return {"private_node_port": private, "node_ports": ports}


def _checkRoutes(
    values: Mapping[str, Any], spawns: Sequence[Spawn], fields: Mapping[str, Any]
) -> None:
    """
    @raise Conflict: a route that the settings name can't be served.
    """
    if spawns and not (values["node-port"] or values["token-file"] or values["node-tls-cert"]):
        # No node of another origin can come.
        patterns = [each.rule.pattern for each in spawns]
        _checkServed("tcp", [each.route for each in fields["frontends"]], patterns)
        _checkServed("route", fields["routes"], patterns)


def _checkServed(setting: str, routes: Sequence[str], patterns: Sequence[str | None]) -> None:
    try:
        checkServed(f"--{setting}", routes, patterns)
    except UsageError as error:
        raise Conflict(str(error), setting) from None


def _allowed(values: Mapping[str, Any]) -> list[Allowed]:
    default = values["default-route"]
    return [
        Allowed(name, None if pattern is None else canonical(pattern, default))
        for name, pattern in values["node-allow"]
    ]


def _nodeTLS(values: Mapping[str, Any]) -> NodeTLSFiles | None:
    files = FIELDS.values(values, "node_tls.")
    return NodeTLSFiles(**files) if files["certificate"] else None
