"""
The difference between the settings that hold and others.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

import attrs
from attrs import evolve, frozen

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.limits import Limits
from brxy.edge.config.settings import EdgeSettings, Spawn
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.scaler.rolls import OnChange
from brxy.spawners.spec import Common, SpawnSpec, optionKeys

__all__ = ["AT_ONCE", "Changes", "differences", "merged", "sameSpawner"]

#: The fields of the settings that take effect while the edge runs.  Of the others, some ports
#: do, and the rest needs a restart.
AT_ONCE = frozenset(
    {
        "spawns",
        "routes",
        "aliases",
        "routed",
        "default_route",
        "default_route_for_all",
        "max_total",
        "hold_timeout",
        "start_timeout",
        "retries",
        "drain_timeout",
        "upgrade_timeout",
        "allowed",
        "ports",
        "frontends",
        "sni_ports",
        "watched",
        "error_pages",
        "limits.max_held",
        "limits.max_held_total",
        "limits.max_routes",
        "limits.wake_burst",
        "limits.wake_rate",
        "limits.max_connections",
        "limits.max_body",
        "limits.max_requests",
    }
)

_COMMON = frozenset(optionKeys(Common))

# As many names are written in one line.
_NAMES = 10

# The fields of these are compared one by one.
_NESTED = frozenset({"limits"})


@frozen
class Changes:
    """
    What a reload changes.

    @ivar added: the names of new spawns.
    @ivar removed: the names of spawns that are no longer configured: their instances drain.
    @ivar adjusted: the names of spawns whose limits, routes or times have changed, which takes
        effect at once.
    @ivar replaced: the spawns that start other instances than before, by name, and what becomes
        of those that there are.
    @ivar settings: the options that have changed and take effect at once.
    @ivar restart: the options that have changed and are ignored until the edge is restarted.
    """

    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    adjusted: Sequence[str] = ()
    replaced: Mapping[str, OnChange] = attrs.field(factory=dict)
    settings: Sequence[str] = ()
    restart: Sequence[str] = ()

    def __bool__(self) -> bool:
        """
        Whether anything has changed.
        """
        return any(getattr(self, each.name) for each in attrs.fields(Changes))

    def __str__(self) -> str:
        """
        What was applied, in one line.
        """
        kinds: dict[str, Collection[str]] = {
            "added": self.added,
            "removed": self.removed,
            "adjusted": self.adjusted,
            "replaced": self.replaced,
            "set": self.settings,
        }
        found = [f"{kind} {_some(names)}" for kind, names in kinds.items() if names]
        return "; ".join(found) or "nothing has changed"


def differences(
    before: EdgeSettings, after: EdgeSettings
) -> Iterator[tuple[str, str, OnChange | None]]:
    """
    Compare settings, one spawn or option at a time.

    @return: for each difference the field of L{Changes} that it belongs to and its name; for
        C{replaced} what becomes of the instances as well.
    """
    known = {each.rule.name: each for each in before.spawns}
    names = set()
    for each in after.spawns:
        name = each.rule.name
        names.add(name)
        old = known.get(name)
        if old is each:
            yield "", name, None
        elif old is None:
            yield "added", name, None
        elif not sameSpawner(old, each):
            yield "replaced", name, each.on_change
        elif old.rule != each.rule or _times(old) != _times(each):
            yield "adjusted", name, None
        else:
            yield "", name, None
    for name in known:
        yield ("" if name in names else "removed"), name, None
    yield from _requests(before, after)
    for path in _changedFields(before, after):
        yield ("settings" if _isAtOnce(path, before, after) else "restart"), _option(path), None


def _requests(
    before: EdgeSettings, after: EdgeSettings
) -> Iterator[tuple[str, str, OnChange | None]]:
    """
    L{differences} of what becomes of the requests of routes.
    """
    old = {each.name: each for each in before.routed}
    yield "", "", None
    new = {each.name: each for each in after.routed}
    yield "", "", None
    for name in {**old, **new}:
        then, now = (some.get(name) or RoutedHosts(name, ()) for some in (old, new))
        if then.hosts != now.hosts and then.hosts and now.hosts:
            yield "settings", f"host of {name}", None
        yield "", name, None
        if then.settings != now.settings:
            for each in attrs.fields(RouteSettings):
                if getattr(then.settings, each.name) != getattr(now.settings, each.name):
                    yield "settings", f"{each.name.replace('_', '-')} of {name}", None


def merged(before: EdgeSettings, after: EdgeSettings, spawns: Sequence[Spawn]) -> EdgeSettings:
    """
    The settings that hold after a reload: of what needs a restart, the values from before.

    @param spawns: those that hold then.
    """
    limits = {
        each.name: getattr(after.limits, each.name)
        for each in attrs.fields(Limits)
        if f"limits.{each.name}" in AT_ONCE
    }
    fields = {
        each.name: getattr(after, each.name)
        for each in attrs.fields(EdgeSettings)
        if _isAtOnce(each.name, before, after)
    }
    fields.update(spawns=spawns, limits=evolve(before.limits, **limits))
    return evolve(before, **fields)


def _isAtOnce(path: str, before: EdgeSettings, after: EdgeSettings) -> bool:
    match path:
        case "node_ports":
            # One that is closed would cut nodes off.
            return {*before.node_ports} <= {*after.node_ports}
        case "private_node_port":
            return after.private_node_port
        case "tls_ports" | "tls_frontends":
            return before.tls_certs is not None
        case _:
            return path in AT_ONCE


def sameSpawner(before: Spawn, after: Spawn) -> bool:
    """
    Whether two spawns start the same instances, whatever their limits are.
    """
    if before.spec is None or after.spec is None:
        same = before.spawning.spawner is after.spawning.spawner
    else:
        same = _own(before.spec) == _own(after.spec)
    # Nodes and apps learn these when they are started.
    return (
        same
        and before.spawning.send_proxy == after.spawning.send_proxy
        and before.spawning.speaks_first == after.spawning.speaks_first
    )


def _own(spec: SpawnSpec) -> SpawnSpec:
    """
    What only the spawner heeds.
    """
    own = {key: text for key, text in spec.options.items() if key not in _COMMON}
    return evolve(spec, options=own)


def _times(spawn: Spawn) -> tuple[float, float, OnChange]:
    return spawn.spawning.idle_timeout, spawn.spawning.old_idle_timeout, spawn.on_change


def _changedFields(before: EdgeSettings, after: EdgeSettings) -> Iterator[str]:
    for each in attrs.fields(EdgeSettings):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if each.name in _NESTED:
            for part in attrs.fields(type(old)):
                if getattr(old, part.name) != getattr(new, part.name):
                    yield f"{each.name}.{part.name}"
        elif each.name not in ("spawns", "routed") and _plain(old) != _plain(new):
            yield each.name


def _plain(value: object) -> object:
    # A list and a tuple of the same values are the same setting.
    return tuple(value) if isinstance(value, (list, tuple)) else value


#: The options of fields that are made of several.
_OPTIONS = {
    "aliases": "host",
    "tls_frontends": "tcp",
    "private_node_port": "node-port",
    "node_tls": "node-tls-cert",
    "allowed": "node-allow",
    "watched": "watch",
}


def _option(path: str) -> str:
    found = next((each.name for each in FIELDS if each.field == path), None)
    return _OPTIONS.get(path, path.replace("_", "-")) if found is None else found


def _some(names: Collection[str]) -> str:
    more = [f"{len(names) - _NAMES} more"] if len(names) > _NAMES else []
    return ", ".join([*islice(names, _NAMES), *more])
