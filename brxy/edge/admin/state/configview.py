"""
The settings of an edge as plain data, without secrets.

Pure: it gets the settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

import attrs

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.settings import EdgeSettings, Spawn
from brxy.scaler.rolls import OnChange
from brxy.values.capacity import AUTO
from brxy.values.networks import Networks

__all__ = ["configView", "differences"]

#: Stands for what is not shown.
HIDDEN = "***"

# Keys of spawns whose values may be secret, but for files, of which only the path is shown.
_SECRET = re.compile(r"env|.*(token|password|secret)(?!.*-file$).*")

_VARIABLE = re.compile(r"([A-Za-z_]\w*)=")


def configView(settings: EdgeSettings) -> dict[str, Any]:
    """
    What holds now: the options of the edge by their names, its spawns by theirs, and the
    settings of requests by their routes.
    """
    options = {
        each.name: _plain(_at(settings, each.field))
        for each in FIELDS
        if each.field is not None and not each.field.startswith("spawns") and not each.is_secret
    }
    return {
        "edge": options,
        "spawns": {each.rule.name: _spawnView(each) for each in settings.spawns},
        "routes": [_routeView(_plain(each)) for each in settings.routed],
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """
    The values that differ between two views of the same thing.
    """
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        if old != new:
            yield {"key": key, "before": old, "after": new}


def _at(settings: object, path: str) -> Any:
    found: Any = settings
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _routeView(route: dict[str, Any]) -> dict[str, Any]:
    for kind, changes in route["settings"]["headers"].items():
        for key in ("add", "set"):
            lines = dict(changes[key])
            # An app may take the fields of a request for credentials.
            changes[key] = dict.fromkeys(lines, HIDDEN) if kind == "request" else lines
    return route


def _spawnView(spawn: Spawn) -> dict[str, Any]:
    rule, spawning, spec = spawn.rule, spawn.spawning, spawn.spec
    own = {} if spec is None else {key: _shown(key, text) for key, text in spec.options.items()}
    return {
        **own,
        "name": rule.name,
        "kind": None if spec is None else spec.name,
        "route": rule.pattern,
        "max": rule.max_instances,
        "capacity": "auto" if rule.capacity == AUTO else rule.capacity,
        "max-capacity": rule.max_capacity,
        "idle-timeout": spawning.idle_timeout,
        "old-idle-timeout": spawning.old_idle_timeout,
        "send-proxy": spawning.send_proxy,
        "speaks-first": spawning.speaks_first,
        "on-change": OnChange(spawn.on_change).value,
        "command": [] if spec is None else list(spec.command),
    }


def _shown(key: str, value: Any) -> Any:
    if not _SECRET.fullmatch(key):
        return _plain(value)
    if isinstance(value, str):
        # NAME=VALUE,NAME=VALUE
        names = [match[1] for text in value.split(",") if (match := _VARIABLE.match(text))]
        return dict.fromkeys(names, HIDDEN) if key == "env" else HIDDEN
    return dict.fromkeys(value, HIDDEN) if isinstance(value, Mapping) else HIDDEN


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Networks):
        return value.texts
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return {_key(each.name): _plain(getattr(value, each.name)) for each in fields}
    if isinstance(value, (Sequence, set, frozenset)):
        return [_plain(each) for each in value]
    return str(value)


def _key(name: str) -> str:
    return name.strip("_").replace("_", "-")
