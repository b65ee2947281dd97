"""
Reads the routes of configuration files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from brxy.edge.config.files.configuration import FileRoute, FileSpawn
from brxy.edge.config.files.faults import TomlFile
from brxy.edge.config.files.keys import ROUTE
from brxy.edge.config.files.kinds import Kinds
from brxy.edge.config.files.spawnname import spawnNameOf
from brxy.edge.config.files.tables import readTable, tableFault
from brxy.edge.config.files.values import scalar
from brxy.spawners.spec import SpawnSpec, routePattern
from brxy.tomlfile.lines import Path

__all__ = ["RouteReader", "checkHosts"]

_Path = tuple[str | int, ...]


class RouteReader:
    """
    Reads the routes of files, and notes in each file what is wrong with its own.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        """
        @param defaults: the texts of keys that each spawn has unless it has its own.
        """
        self._defaults = defaults
        self._kinds = Kinds()

    def read(self, file: TomlFile) -> list[FileRoute]:
        """
        @return: the routes of a file.
        """
        return [self._route(file, path, table, hosts) for path, table, hosts in _tables(file)]

    def _route(
        self, file: TomlFile, path: _Path, table: dict[str, Any], hosts: Sequence[str]
    ) -> FileRoute:
        values, texts = readTable(file, path, table, ROUTE, "route", ("spawn", "host"))
        spawns = table.get("spawn", [])
        if not isinstance(spawns, list):
            file.fault((*path, "spawn"), "spawn needs to be an array of tables, [[...spawn]]")
            spawns = []
        elif hosts and not spawns:
            file.fault(path, f"the route {', '.join(hosts)} has no spawn")
        name = hosts[0] if hosts else "*"
        frontends = values.get("tcp", [])
        if frontends and (name.startswith("*")):
            file.fault((*path, "tcp"), "tcp needs a route with one name, no pattern")
        common = {**self._defaults, **{key: texts[key] for key in texts if key != "tcp"}}
        found = (
            self._spawn(file, (*path, "spawn", number), each, name, common)
            for number, each in enumerate(spawns)
        )
        return FileRoute(
            tuple(hosts),
            tuple(each for each in found if each is not None),
            tuple(evolve(each, route=name) for each in frontends),
        )

    def _spawn(
        self, file: TomlFile, path: _Path, table: Any, host: str, common: Mapping[str, Any]
    ) -> FileSpawn | None:
        if tableFault(file, path, table):
            return None
        kind = table.get("kind")
        if not isinstance(kind, str):
            known = ", ".join(self._kinds.names())
            file.fault((*path, "kind"), f"kind is needed, as a text: {known}")
            return None
        factory = self._kinds.find(kind)
        if isinstance(factory, str):
            file.fault((*path, "kind"), factory)
            return None
        keys = self._kinds.keys(factory)
        values, texts = readTable(file, path, table, keys, "spawn", ("kind", "command"))
        for name, key in keys.items():
            if key.is_required and name not in table:
                file.fault(path, f"{kind} needs {name}: {key.help}")
        command = _command(file, (*path, "command"), table.get("command", []))
        if not command and getattr(factory, "needs_command", False) and "command" not in table:
            file.fault(path, f'{kind} needs command, an array such as ["python", "app.py"]')
        number = path[-1]
        assert isinstance(number, int)
        options = {"name": spawnNameOf(host, number), **common, **texts}
        if host != "*":
            options["route"] = host
        contents = {name: each for name, each in values.items() if keys[name].is_file}
        return FileSpawn(SpawnSpec(kind, options, command, contents), path)


def _tables(file: TomlFile) -> Iterator[tuple[_Path, dict[str, Any], list[str]]]:
    """
    @return: the path of each route, its table and its hosts.
    """
    routes = file.values.get("route", {})
    if isinstance(routes, dict):
        for host, table in routes.items():
            path: _Path = ("route", host)
            if not isinstance(table, dict):
                file.fault(path, f'{host} is no table: a route is [route."HOST"]')
                continue
            if "host" in table:
                file.fault((*path, "host"), "host is for [[route]]; this route has one already")
            yield path, table, _hosts(file, path, [host])
    elif isinstance(routes, list):
        for number, table in enumerate(routes):
            path = ("route", number)
            if not tableFault(file, path, table):
                yield path, table, _given(file, path, table.get("host"))
    else:
        file.fault(("route",), 'route needs to be a table: [route."HOST"]')


def _given(file: TomlFile, path: _Path, hosts: Any) -> list[str]:
    hosts = [hosts] if isinstance(hosts, str) else hosts
    if not isinstance(hosts, list) or not hosts:
        file.fault((*path, "host"), 'host is needed: an array such as ["example.com"]')
        return []
    return _hosts(file, (*path, "host"), hosts)


def _hosts(file: TomlFile, path: _Path, hosts: Sequence[Any]) -> list[str]:
    found = []
    for number, host in enumerate(hosts):
        try:
            if not isinstance(host, str):
                raise ValueError("a text in quotes is needed")
            found.append(host if host == "*" else routePattern(host))
        except ValueError as error:
            where = (*path, number) if path[-1] == "host" else path
            file.fault(where, f"bad host {host!r}: {error}, or * for all")
    if len(found) > 1 and found[0].startswith("*"):
        file.fault(path, "the first of several hosts is the route; it can't be a pattern")
    return found


def _command(file: TomlFile, path: _Path, command: Any) -> tuple[str, ...]:
    if isinstance(command, str):
        try:
            words = ", ".join(f'"{each}"' for each in shlex.split(command))
        except ValueError:
            words = "..."
        file.fault(path, f"command needs to be an array: [{words}]")
        return ()
    if not isinstance(command, list):
        file.fault(path, "command needs to be an array of texts")
        return ()
    found = []
    for number, each in enumerate(command):
        text = scalar(each)
        if text is None:
            file.fault((*path, number), "command has something else than texts and numbers")
        else:
            found.append(text)
    return tuple(found)


def checkHosts(files: Sequence[TomlFile], routes: Sequence[Sequence[FileRoute]]) -> None:
    """
    Note each host that is given twice, in both files.
    """
    first: dict[str, tuple[TomlFile, Path]] = {}
    for file, found in zip(files, routes, strict=True):
        for host, path in _placed(file, found):
            if host not in first:
                first[host] = (file, path)
                continue
            other, there = first[host]
            file.fault(path, f"{host} has a route already, at {other.name}:{other.line(there)}")
            if other is not file:
                other.fault(there, f"{host} has another route at {file.name}:{file.line(path)}")


def _placed(file: TomlFile, routes: Sequence[FileRoute]) -> Iterator[tuple[str, Path]]:
    by_host = isinstance(file.values.get("route"), dict)
    for number, route in enumerate(routes):
        for host in route.hosts:
            yield host, ("route", host if by_host else number)
