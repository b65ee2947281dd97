"""
What configuration files say, as plain data.

Pure: values.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from brxy.edge.config.kinds import Frontend
from brxy.edge.routing.settings import NO_SETTINGS, RoutedHosts, RouteSettings
from brxy.spawners.spec import SpawnSpec

__all__ = ["NO_FILES", "Configuration", "FilePart", "FileRoute", "FileSpawn"]


@frozen
class FileSpawn:
    """
    One C{[[route."HOST".spawn]]}.

    @ivar spec: what C{--spawn} would say, with the keys of its route and of C{[defaults]} and
        a name.
    @ivar path: where it is in its file.
    """

    spec: SpawnSpec
    path: tuple[str | int, ...]


@frozen
class FileRoute:
    """
    One route of a file.

    @ivar name: of the route; one of its hosts or another one; C{*} for all.
    @ivar hosts: the hosts or patterns that lead to it; C{*} for all.
    @ivar settings: what becomes of its requests.
    @ivar path: where it is in its file.
    """

    name: str
    hosts: tuple[str, ...]
    spawns: tuple[FileSpawn, ...] = ()
    frontends: tuple[Frontend, ...] = ()
    settings: RouteSettings = NO_SETTINGS
    path: tuple[str | int, ...] = ()

    def claims(self) -> Sequence[str]:
        """
        What no other route may have: its hosts with its paths, and its name.
        """
        paths = [each.decode("ascii") for each in self.settings.paths] or [""]
        found = [f"{host}{path}" for host in self.hosts for path in paths]
        return [*found, self.name] if found and self.name not in found else found

    def aliases(self) -> Iterable[tuple[str, str]]:
        """
        See L{Configuration.routing}.
        """
        if self.settings.paths or self.name not in self.hosts:
            yield self.name, ""
        if not self.settings.paths:
            yield from ((host, self.name) for host in self.hosts if host != self.name)


@frozen
class FilePart:
    """
    The routes of one file.

    @ivar file: its path, as errors name it.
    @ivar faults: what is wrong in it, one line each; then its routes are not used.
    """

    file: str
    routes: tuple[FileRoute, ...] = ()
    faults: tuple[str, ...] = ()

    def spawns(self) -> Iterable[FileSpawn]:
        """
        All spawns of its routes.
        """
        return (spawn for route in self.routes for spawn in route.spawns)

    def claims(self) -> Iterable[str]:
        """
        See L{FileRoute.claims}.
        """
        return (claim for route in self.routes for claim in route.claims())


@frozen
class Configuration:
    """
    A configuration file, and the files that it includes.

    @ivar values: those of C{[edge]} and C{[defaults]}, by the names of settings.
    @ivar parts: the routes of each file, first those of the file itself.
    @ivar places: where changes of these files show, see L{brxy.edge.config.files.places}.
    """

    values: Mapping[str, Any]
    parts: tuple[FilePart, ...]
    places: Mapping[str, frozenset[str]] = field(factory=dict)

    @property
    def faults(self) -> list[str]:
        """
        What is wrong in all files, one line each.
        """
        return [each for part in self.parts for each in part.faults]

    @property
    def file(self) -> str:
        """
        The path of the file itself.
        """
        return self.parts[0].file

    def routes(self) -> Iterable[FileRoute]:
        """
        All routes, those of the file itself first.
        """
        return (route for part in self.parts for route in part.routes)

    def faulty(self) -> set[str]:
        """
        The files in which anything is wrong.
        """
        return {part.file for part in self.parts if part.faults}

    def routing(self) -> Generator[None, None, tuple[dict[str, str], list[RoutedHosts]]]:
        """
        Find out in steps which hosts lead to which routes.

        @return: the routes of the hosts and patterns that lead to another route, and for the
            name of a route that no host has, C{""}; and the routes that have settings for their
            requests.
        """
        aliases: dict[str, str] = {}
        routed: list[RoutedHosts] = []
        for each in self.routes():
            aliases.update(each.aliases())
            if each.settings != NO_SETTINGS:
                routed.append(RoutedHosts(each.name, each.hosts, each.settings))
            yield
        return aliases, routed

    def withFaults(self, faults: Mapping[str, Sequence[str]]) -> Configuration:
        """
        @param faults: by files.
        @return: the same with these faults as well.
        """
        return evolve(
            self,
            parts=tuple(
                evolve(part, faults=(*part.faults, *faults.get(part.file, ())))
                for part in self.parts
            ),
        )

    def over(self, previous: Configuration) -> Generator[None, None, Configuration]:
        """
        Put what is right in the place of an earlier configuration, in steps.  A file that has
        faults stays as it was, also if it is the file itself; then C{[edge]} and C{[defaults]}
        do, too.

        @return: a configuration that keeps the faults, to report them.
        """
        before = {part.file: part for part in previous.parts}
        parts: dict[str, FilePart] = {}
        for part in self.parts:
            parts[part.file] = (
                _faulty(before.get(part.file), part.file, part.faults) if part.faults else part
            )
            yield
        if not self.parts[0].faults:
            values, places = self.values, self.places
        else:
            # It may not be known any more which files it includes.
            values, parts = previous.values, {**before, **parts}
            places = previous.places
        while doubles := (yield from _doubles(parts.values())):
            for file, fault in doubles.items():
                parts[file] = _faulty(before.get(file), file, (fault,))
        return Configuration(values, tuple(parts.values()), places)


#: No configuration file.
NO_FILES = Configuration({}, ())


def _faulty(before: FilePart | None, file: str, faults: tuple[str, ...]) -> FilePart:
    return FilePart(file, before.routes if before else (), faults)


def _doubles(parts: Iterable[FilePart]) -> Generator[None, None, dict[str, str]]:
    """
    @return: what is wrong with files that have a host of a file with faults, which stays as it
        was.
    """
    parts = list(parts)
    taken: dict[str, str] = {}
    for part in parts:
        for route in part.routes if part.faults else ():
            taken.update(dict.fromkeys(route.claims(), part.file))
            yield
    found: dict[str, str] = {}
    for part in parts if taken else ():
        for claim in part.claims() if not part.faults else ():
            if claim in taken:
                found[part.file] = (
                    f"{part.file}:1: {claim} still has a route in {taken[claim]}, which has faults"
                )
            yield
    return found
