"""
Reads the routes of configuration files.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from brxy.edge.config.files.configuration import FileRoute, FileSpawn
from brxy.edge.config.files.faults import TomlFile
from brxy.edge.config.files.keys import REQUESTS, ROUTE
from brxy.edge.config.files.kinds import Kinds
from brxy.edge.config.files.spawnname import spawnNameOf
from brxy.edge.config.files.tables import readTable, tableFault
from brxy.edge.config.files.values import scalar
from brxy.edge.routing.settings import RouteSettings
from brxy.spawners.spec import SpawnSpec, routePattern
from brxy.values.routename import isAddressOrLocalhost, routeName

__all__ = ["RouteReader", "checkHosts"]

_Path = tuple[str | int, ...]


class RouteReader:
    """
    Reads the routes of files, and notes in each file what is wrong with its own.
    """

    def __init__(self, defaults: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        """
        @param defaults: the texts of keys that each spawn has unless it has its own.
        @param settings: the values of keys that each route has unless it has its own.
        """
        self._defaults = defaults
        self._settings = settings
        self._kinds = Kinds()

    def read(self, file: TomlFile) -> list[FileRoute]:
        """
        @return: the routes of a file.
        """
        return [self._route(file, path, table, named) for path, table, named in _tables(file)]

    def _route(
        self, file: TomlFile, path: _Path, table: dict[str, Any], named: _Named
    ) -> FileRoute:
        values, texts = readTable(file, path, table, ROUTE, "route", ("spawn", "host"))
        name = named.name
        settings = self._settingsOf(file, path, table, values, name)
        spawns = table.get("spawn", [])
        if not isinstance(spawns, list):
            file.fault((*path, "spawn"), "spawn needs to be an array of tables, [[...spawn]]")
            spawns = []
        elif settings.redirect is not None and spawns:
            file.fault(
                (*path, "spawn", 0), "a route with redirect starts nothing: it has no spawn"
            )
        elif "redirect" not in table and named.hosts and not spawns:
            file.fault(path, f"the route {', '.join(named.hosts)} has no spawn")
        frontends = values.get("tcp", [])
        if frontends and "redirect" in table:
            file.fault((*path, "tcp"), "a route with redirect starts nothing: it has no tcp")
        elif frontends and name.startswith("*"):
            file.fault((*path, "tcp"), "tcp needs a route with one name, no pattern")
        own = {key: texts[key] for key in texts if key != "tcp" and key not in REQUESTS}
        common = {**self._defaults, **own}
        found = (
            self._spawn(file, (*path, "spawn", number), each, name, common)
            for number, each in enumerate(spawns)
        )
        return FileRoute(
            name,
            tuple(named.hosts),
            tuple(each for each in found if each is not None),
            tuple(evolve(each, route=name) for each in frontends),
            settings,
            path,
        )

    def _settingsOf(
        self,
        file: TomlFile,
        path: _Path,
        table: Mapping[str, Any],
        values: Mapping[str, Any],
        name: str,
    ) -> RouteSettings:
        own = {key: values[key] for key in values if key in REQUESTS}
        if "paths" in own and name.startswith("*"):
            file.fault(
                (*path, "paths"),
                f'a route with paths has one name: [route.NAME] with host = "{name}"',
            )
        elif "paths" in own and not own["paths"]:
            file.fault((*path, "paths"), "paths is empty: leave it out for all paths")
        elif own.get("strip-prefix") and "paths" not in table:
            file.fault((*path, "strip-prefix"), "strip-prefix needs paths")
        if "redirect-code" in own and "redirect" not in table:
            file.fault((*path, "redirect-code"), "redirect-code needs redirect")
        found = {**self._settings, **own}
        return RouteSettings(**{key.replace("-", "_"): found[key] for key in found})

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


@frozen
class _Named:
    """
    The name of a route, and the hosts that lead to it; no hosts if they can't be used.
    """

    name: str
    hosts: Sequence[str]


def _tables(file: TomlFile) -> Iterator[tuple[_Path, dict[str, Any], _Named]]:
    """
    @return: the path of each route, its table, and its name and hosts.
    """
    routes = file.values.get("route", {})
    if isinstance(routes, dict):
        for name, table in routes.items():
            path: _Path = ("route", name)
            if not isinstance(table, dict):
                file.fault(path, f'{name} is no table: a route is [route."HOST"]')
            elif "host" in table:
                yield path, table, _named(file, path, name, table["host"])
            else:
                hosts = _hosts(file, path, [name])
                yield path, table, _Named(hosts[0] if hosts else "*", hosts)
    elif isinstance(routes, list):
        for number, table in enumerate(routes):
            path = ("route", number)
            if not tableFault(file, path, table):
                hosts = _given(file, path, table.get("host"))
                if len(hosts) > 1 and hosts[0].startswith("*"):
                    file.fault(
                        (*path, "host"),
                        "the first of several hosts is the route; it can't be a pattern",
                    )
                yield path, table, _Named(hosts[0] if hosts else "*", hosts)
    else:
        file.fault(("route",), 'route needs to be a table: [route."HOST"]')


def _named(file: TomlFile, path: _Path, text: str, hosts: Any) -> _Named:
    """
    A route whose table has C{host}.
    """
    name = routeName(text)
    if name is None or isAddressOrLocalhost(name):
        file.fault(path, f"bad name {text!r}: a route with host has a name such as shop-api")
    return _Named(name or "*", _given(file, path, hosts))


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
    Note each host, or host with a path, that is given twice, in both files.
    """
    first: dict[str, tuple[TomlFile, FileRoute]] = {}
    placed = (
        (file, route, claim)
        for file, found in zip(files, routes, strict=True)
        for route in found
        for claim in route.claims()
    )
    for file, route, claim in placed:
        if claim not in first:
            first[claim] = (file, route)
            continue
        other, earlier = first[claim]
        line = other.line(earlier.path)
        hint = ""
        if claim in (route.name, earlier.name) and (
            route.settings.paths or earlier.settings.paths
        ):
            hint = "; a route with paths needs a name of its own: [route.NAME] with host"
        file.fault(route.path, f"{claim} has a route already, at {other.name}:{line}{hint}")
        if other is not file:
            line = file.line(route.path)
            other.fault(earlier.path, f"{claim} has another route at {file.name}:{line}{hint}")
