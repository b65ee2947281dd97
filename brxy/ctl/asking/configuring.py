"""
The command that shows the configuration of an edge, and what a reload would change.
"""

from __future__ import annotations

import json
import os
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from brxy.ctl.asking.client import findEdge
from brxy.ctl.asking.showing import printJSON
from brxy.ctl.exitstatus import DONE, FAILED, USAGE, Failure
from brxy.values.text import printable

__all__ = ["config", "differenceLines", "tomlLines"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")

# What becomes of each kind of change, see L{brxy.edge.reload.changes.Changes}.
_EFFECTS = {
    "added": "would be added",
    "removed": "would be removed, and its instances drained",
    "adjusted": "would change at once",
    "set": "would change at once",
    "restart": "would change only after a restart",
}

_REPLACED = {
    "roll": "would be rolled",
    "next": "would change with its next instances",
    "restart": "would be restarted",
}


def config(given: Namespace) -> int:
    """
    Print the configuration, or what a reload would change of it.
    """
    edge = findEdge(given)
    if not given.diff:
        if given.file:
            raise Failure("a FILE can be compared only: give --diff", USAGE)
        found = edge.get("/v1/config")
        if given.json:
            printJSON(found)
        else:
            print("\n".join(tomlLines(found)))
        return DONE
    file = os.path.abspath(given.file) if given.file else ""
    found = edge.get("/v1/config/diff", file=file)
    if given.json:
        printJSON(found)
    else:
        print("\n".join(differenceLines(found)))
    return FAILED if found["errors"] else DONE


def differenceLines(found: Mapping[str, Any]) -> Iterator[str]:
    """
    What a reload would change, in words.
    """
    for each in found["errors"]:
        yield printable(f"cannot be used: {each}")
    for each in found["changes"]:
        effect = _EFFECTS.get(each["kind"]) or _REPLACED[each["on_change"]]
        values = [_difference(one) for one in each["differences"]]
        if each["kind"] in ("set", "restart") and values:
            effect = f"{effect}: {values.pop()}"
        yield printable(f"{each['name']} {effect}")
        yield from (
            printable(f"    {one['key']}: {text}")
            for one, text in zip(each["differences"], values, strict=False)
        )
    if not found["changes"]:
        yield "nothing would change"


def _difference(found: Mapping[str, Any]) -> str:
    return f"{_value(found['before'])} -> {_value(found['after'])}"


def tomlLines(found: Mapping[str, Any]) -> Iterator[str]:
    """
    A configuration as TOML.  What is not set is left out.
    """
    yield "[edge]"
    yield from _table(found["edge"])
    for name, spawn in found["spawns"].items():
        yield ""
        yield f"[spawns.{_key(name)}]"
        yield from _table(spawn)
    for route in found["routes"]:
        yield ""
        yield "[[routes]]"
        yield from _table(route)


def _table(values: Mapping[str, Any]) -> Iterator[str]:
    return (
        f"{_key(name)} = {_value(value)}" for name, value in values.items() if value is not None
    )


def _value(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        given = [f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None]
        return f"{{ {', '.join(given)} }}" if given else "{}"
    # Numbers, true and false, and strings are written as in JSON, with all that is not ASCII
    # escaped.
    text = json.dumps(value)
    return text.replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
