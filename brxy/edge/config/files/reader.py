"""
Reads a configuration file and the files that it includes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from glob import glob
from typing import Any

from brxy.edge.config.files.configuration import Configuration, FilePart, FileRoute
from brxy.edge.config.files.faults import TomlFile
from brxy.edge.config.files.keys import DEFAULTS, EDGE, REQUESTS, settingsByKey
from brxy.edge.config.files.places import placesOf
from brxy.edge.config.files.routes import RouteReader, checkHosts
from brxy.edge.config.files.tables import readTable
from brxy.tomlfile.nearest import didYouMean

__all__ = ["TABLES", "readConfiguration"]

#: The tables of a file.
TABLES = ("edge", "defaults", "route")


def readConfiguration(path: str) -> Configuration:
    """
    Read a configuration file and the files that it includes.  Nothing else is done.

    @return: what they say, with all that is wrong.
    """
    main = TomlFile(path)
    top = main.values
    _checkTop(main, TABLES)
    edge, _ = readTable(main, ("edge",), top.get("edge", {}), EDGE, "edge")
    defaults, texts = readTable(main, ("defaults",), top.get("defaults", {}), DEFAULTS, "defaults")
    patterns = edge.pop("include", [])
    files = [main, *_included(main, patterns)]
    settings = settingsByKey()
    # What is a setting may also be on the command line, which wins.
    common = {key: text for key, text in texts.items() if key not in (*settings, *REQUESTS)}
    reader = RouteReader(common, {key: defaults[key] for key in defaults if key in REQUESTS})
    routes = [reader.read(each) for each in files]
    checkHosts(files, routes)
    values = {
        **edge,
        **{settings[key]: value for key, value in defaults.items() if key in settings},
    }
    places = placesOf(path, patterns, [each.name for each in files])
    return Configuration(values, tuple(map(_part, files, routes)), places)


def _part(file: TomlFile, routes: Sequence[FileRoute]) -> FilePart:
    faults = file.faults()
    return FilePart(file.name, () if faults else tuple(routes), faults)


def _checkTop(file: TomlFile, tables: Sequence[str]) -> None:
    for name, value in file.values.items():
        if name not in tables:
            file.fault((name,), _wrongTop(name, value, tables))


def _wrongTop(name: str, value: Any, tables: Sequence[str]) -> str:
    if name in TABLES:
        return f"only the file that includes this one can have [{name}]"
    if isinstance(value, dict) or (isinstance(value, list) and value and name not in EDGE):
        return f"[{name}] is not known" + didYouMean(name, tables)
    owner = "edge" if name in EDGE else "defaults" if name in DEFAULTS else ""
    hint = f"; it belongs in [{owner}]" if owner else didYouMean(name, [*EDGE, *DEFAULTS])
    return f"{name} is outside of a table{hint}"


def _included(main: TomlFile, patterns: Sequence[str]) -> Iterator[TomlFile]:
    """
    @return: the files of all patterns, those of a pattern by name, and none twice.
    """
    seen = {os.path.realpath(main.name)}
    for number, pattern in enumerate(patterns):
        whole = os.path.join(os.path.dirname(main.name), pattern)
        found = sorted(glob(whole))
        if not found and not set("*?[") & set(pattern):
            main.fault(("edge", "include", number), f"there is no file {whole}")
        for name in found:
            if os.path.realpath(name) not in seen:
                seen.add(os.path.realpath(name))
                file = TomlFile(name)
                _checkTop(file, ("route",))
                yield file
