"""
Reads one table of a configuration file by the description of its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brxy.edge.config.files.faults import TomlFile
from brxy.edge.config.files.keys import GROUP, Key, elsewhere
from brxy.edge.config.files.values import Wrong, convert
from brxy.tomlfile.lines import Path
from brxy.tomlfile.nearest import didYouMean

__all__ = ["readTable", "tableFault"]


def tableFault(file: TomlFile, path: Path, value: Any) -> bool:
    """
    @return: whether something is no table.  Then that is noted.
    """
    if isinstance(value, dict):
        return False
    file.fault(path, f"{path[-1]} needs to be a table")
    return True


def readTable(
    file: TomlFile,
    path: tuple[str | int, ...],
    table: Any,
    keys: Mapping[str, Key],
    kind: str,
    others: Iterable[str] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Convert the values of a table, and note in the file what is wrong with it.

    @param kind: C{edge}, C{defaults}, C{route} or C{spawn}; else a group.
    @param others: keys that the table has as well, and that are not read here.
    @return: the values, and what they were converted from.
    """
    values: dict[str, Any] = {}
    texts: dict[str, Any] = {}
    if tableFault(file, path, table):
        return values, texts
    for name, value in table.items():
        if name in others:
            continue
        key = keys.get(name)
        if key is None:
            hint = elsewhere(name, kind) or didYouMean(name, [*keys, *others])
            file.fault((*path, name), f"{name} is not known{hint}")
            continue
        if key.form == GROUP:
            inner, texts[name] = readTable(file, (*path, name), value, key.keys, name)
            values[name] = key.convert(inner)
            continue
        try:
            texts[name], values[name] = convert(key, value)
        except Wrong as wrong:
            file.fault((*path, name, *wrong.path), str(wrong))
    return values, texts
