"""
What spawners can be told, for people to read.
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
    Spawners with all that they can be told.

    @param factories: by the names they are found by.
    @param broken: a line about each that can't be used.
    """
    complaints = list(broken)
    lines = ["What --spawn can be: NAME: key=value ... -- command"]
    for name, factory in sorted(factories.items()):
        try:
            lines += ["", *_spawner(name, factory)]
        except Exception as error:
            # Somebody else's code, which is to break nothing but itself.
            why = oneLine(f"{type(error).__name__}: {error}")
            complaints.append(f"the spawner {name!r} can't be described: {why}")
    lines += ["", "All of them:", *_keys(Common)]
    if complaints:
        lines += ["", "Can't be used:"]
    for each in complaints:
        lines += _paragraph(each)
    return "\n".join(lines) + "\n"


def _spawner(name: str, factory: ISpawnerFactory) -> list[str]:
    return [*wrap(f"{name}: {factory.summary}", _WIDTH), *_keys(factory.options)]


def _paragraph(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _keys(options: type[Any]) -> list[str]:
    """
    A paragraph for each key, with what it means beside it.
    """
    lines: list[str] = []
    for key, each in optionKeys(options).items():
        text = " ".join(filter(None, [each.metadata.get("help", ""), _default(each)]))
        first, indent = f"  {key}=".ljust(_KEYS), " " * _KEYS
        lines += wrap(text, _WIDTH, initial_indent=first, subsequent_indent=indent) or [
            first.rstrip()
        ]
    return lines


def _default(each: attrs.Attribute[Any]) -> str:
    if each.default is attrs.NOTHING:
        return "[must be given]"
    if each.default is None or isinstance(each.default, attrs.Factory):  # type: ignore[arg-type]
        return ""
    value = each.default
    return f"[default: {value:g}]" if isinstance(value, float) else f"[default: {value}]"
