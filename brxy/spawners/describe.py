"""
A list of spawners and their keys, for people to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap
from typing import Any

import attrs

from brxy.interfaces import ISpawnerFactory
from brxy.spawners.spec import Common, optionKeys
from brxy.values.text import oneLine

__all__ = ["describeSpawners"]

_WIDTH = 79
_KEYS = 24


def describeSpawners(factories: Mapping[str, ISpawnerFactory], broken: Iterable[str]) -> str:
    """
    Describe spawners and their keys.

    @param factories: the factories by the names of their spawners.
    @param broken: a line about each spawner that can't be used.
    """
    complaints = list(broken)
    lines = ["Values of --spawn: NAME: key=value ... -- command"]
    for name, factory in sorted(factories.items()):
        try:
            lines += ["", *_spawner(name, factory)]
        except Exception as error:
            # Code of others must break nothing but its own entry.
            why = oneLine(f"{type(error).__name__}: {error}")
            complaints.append(f"the spawner {name!r} can't be described: {why}")
    lines += ["", "Keys of every spawner:", *_keys(Common)]
    if complaints:
        lines += ["", "Spawners that can't be used:"]
    for each in complaints:
        lines += _paragraph(each)
    return "\n".join(lines) + "\n"


def _spawner(name: str, factory: ISpawnerFactory) -> list[str]:
    return [*wrap(f"{name}: {factory.summary}", _WIDTH), *_keys(factory.options)]


def _paragraph(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _keys(options: type[Any]) -> list[str]:
    """
    Write a paragraph for each key, with its meaning beside it.
    """
    lines: list[str] = []
    for key, each in optionKeys(options).items():
        text = " ".join(filter(None, [each.metadata.get("help", ""), _default(each)]))
        first, indent = f"  {key}= ".ljust(_KEYS), " " * _KEYS
        # Names have hyphens, and people copy them.
        found = wrap(
            text,
            _WIDTH,
            initial_indent=first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        lines += found or [first.rstrip()]
    return lines


def _default(each: attrs.Attribute[Any]) -> str:
    if each.default is attrs.NOTHING:
        return "[required]"
    if each.default is None or isinstance(each.default, attrs.Factory):  # type: ignore[arg-type]
        return ""
    value = each.default
    return f"[default: {value:g}]" if isinstance(value, float) else f"[default: {value}]"
