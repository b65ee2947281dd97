"""
A JSON Schema of configuration files, from the tables of settings and spawners.  With it
editors complete and check the keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from brxy.edge.config.files.keys import (
    DEFAULTS,
    EDGE,
    FLAGS,
    GROUP,
    LIST,
    LISTS,
    ROUTE,
    TABLE,
    Key,
    spawnKeys,
)
from brxy.interfaces import ISpawnerFactory

__all__ = ["schema", "schemaText"]

# A text or a number.
_SCALAR = {"type": ["string", "number"]}
_ARRAY = {"type": "array", "items": _SCALAR}

_NAMED = "The hosts of the route, whose key is only its name then."
_HOSTS = "The hosts of the route. The first is its name; the others share its instances."


def schemaText(factories: Mapping[str, ISpawnerFactory]) -> str:
    """
    The schema as a file.

    @param factories: those of the spawners that it describes, by their kinds.
    """
    return json.dumps(schema(factories), indent=1) + "\n"


def schema(factories: Mapping[str, ISpawnerFactory]) -> dict[str, Any]:
    """
    The schema.

    @param factories: as for L{schemaText}.  Spawners of other kinds may have any keys.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of a brxy edge",
        **_table(
            {
                "edge": _table(_keys(EDGE)),
                "defaults": _table(_keys(DEFAULTS)),
                "route": {
                    "oneOf": [
                        {
                            "type": "object",
                            "additionalProperties": {"$ref": "#/definitions/route"},
                        },
                        {"type": "array", "items": {"$ref": "#/definitions/hosts"}},
                    ]
                },
            }
        ),
        "definitions": {
            "route": _route(_NAMED),
            "hosts": _route(_HOSTS, ["host"]),
            "spawn": _spawn(factories),
        },
    }


def _route(host: str, required: Iterable[str] = ()) -> dict[str, Any]:
    spawns = {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/spawn"}}
    keys = {"host": _described(_many(), host), **_keys(ROUTE), "spawn": spawns}
    # A redirect needs nothing that is started.
    either = [{"required": ["spawn"]}, {"required": ["redirect"]}]
    return {**_table(keys, required), "anyOf": either}


def _spawn(factories: Mapping[str, ISpawnerFactory]) -> dict[str, Any]:
    kinds = sorted(factories)
    known = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": _ofKind(factories[kind]),
        }
        for kind in kinds
    ]
    return {
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {"description": "The spawner.", "anyOf": [{"enum": kinds}, {"type": "string"}]}
        },
        "allOf": known,
    }


def _ofKind(factory: ISpawnerFactory) -> dict[str, Any]:
    keys = spawnKeys(factory.options)
    properties = {
        "kind": True,
        "command": _described(_ARRAY, "The command and its arguments."),
        **_keys(keys),
    }
    required = [name for name, key in keys.items() if key.is_required]
    if getattr(factory, "needs_command", False):
        required.append("command")
    return {"description": factory.summary, **_table(properties, required)}


def _table(properties: Mapping[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    needed = list(required)
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
    }


def _keys(keys: Mapping[str, Key]) -> dict[str, Any]:
    return {name: _key(key) for name, key in keys.items()}


def _key(key: Key) -> dict[str, Any]:
    text = key.help if not key.takes else f"{key.help} A value is {key.takes}."
    if key.form == FLAGS:
        return _described({"type": "boolean"}, key.help)
    if key.form == GROUP:
        return _described(_table(_keys(key.keys)), text)
    if key.form in (LISTS, LIST):
        return _described(_many(), text)
    if key.form == TABLE:
        table = {"type": "object", "additionalProperties": _SCALAR}
        return _described({"anyOf": [table, _SCALAR]}, text)
    return _described(_SCALAR, text)


def _many() -> dict[str, Any]:
    return {"anyOf": [_ARRAY, _SCALAR]}


def _described(what: Mapping[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, **what}
