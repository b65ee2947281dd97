"""
Makes the settings object of an edge from its command line and its configuration files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping
from typing import Any

from attrs import frozen
from twisted.internet.task import Clock

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.files.configuration import NO_FILES, Configuration
from brxy.edge.config.files.faults import place
from brxy.edge.config.files.reader import readConfiguration
from brxy.edge.config.making.building import SpawnMaker, makeSettings
from brxy.edge.config.making.completing import Conflict, check, complete
from brxy.edge.config.settings import EdgeSettings, Spawn
from brxy.errors import UsageError
from brxy.reactor.slices import atOnce

__all__ = ["Loaded", "checkFile", "loadFiles", "reloadFiles"]


@frozen
class Loaded:
    """
    What the command line and the configuration files make.

    @ivar settings: of the edge; L{None} if they can't be made.
    @ivar configuration: the files, and what is wrong in each of them.  After a reload a file
        with faults has the routes that it had before.
    @ivar values: those of all settings, by their names.
    """

    settings: EdgeSettings | None
    configuration: Configuration
    values: Mapping[str, Any]

    @property
    def faults(self) -> list[str]:
        """
        What is wrong, one line each: C{FILE:LINE: what}.
        """
        return self.configuration.faults


def checkFile(path: str) -> list[str]:
    """
    Check a configuration file and the files that it includes.  Nothing is started, opened or
    written, and no reactor is needed.

    @return: what is wrong, one line each: C{FILE:LINE: what}; empty if an edge can use it.
    """
    given: dict[str, Any] = {each.name: [] if each.repeatable else None for each in FIELDS}
    return loadFiles(given, readConfiguration(path), Clock()).faults


def loadFiles(given: Mapping[str, Any], configuration: Configuration, reactor: Any) -> Loaded:
    """
    Make the settings object of an edge.

    @param given: the values on the command line, see L{complete}.
    @param configuration: what the files say; L{NO_FILES} if there are none.
    @return: without settings if anything is wrong in the files.
    @raise UsageError: something is wrong with the command line.
    """
    values = _values(given, configuration)
    maker = SpawnMaker(values, reactor)
    settings, faults = atOnce(_make(given, values, configuration, maker))
    whole = configuration.withFaults(faults)
    return Loaded(None if whole.faults else settings, whole, values)


def reloadFiles(
    given: Mapping[str, Any], previous: Loaded, new: Configuration, reactor: Any
) -> Generator[None, None, Loaded]:
    """
    Use the files as they are now, in steps.  The routes of a file in which anything is wrong
    stay as they were; so do C{[edge]} and C{[defaults]} if that is the first file.

    @param given: as for L{loadFiles}.
    @param previous: what holds now; it has settings.
    @param new: the same files, read again.
    @return: what is to hold, with what is wrong; it is C{previous} the next time.  A spawn of a
        file with faults is the same object as before, and so is one of which nothing has changed.
    """
    assert previous.settings is not None
    before = previous.configuration
    while True:
        whole = yield from new.over(before)
        values = _values(given, whole)
        yield
        maker = SpawnMaker(values, reactor, previous.settings.spawns, previous.values)
        settings, faults = yield from _make(given, values, whole, maker)
        if not faults:
            return Loaded(settings, whole, values)
        if not faults.keys() - whole.faulty():
            # What is wrong is not in what changed.
            return Loaded(previous.settings, before.withFaults(faults), previous.values)
        new = new.withFaults(faults)


def _values(given: Mapping[str, Any], configuration: Configuration) -> dict[str, Any]:
    frontends = [each for route in configuration.routes() for each in route.frontends]
    return complete(given, configuration.values, frontends)


def _make(
    given: Mapping[str, Any],
    values: Mapping[str, Any],
    configuration: Configuration,
    maker: SpawnMaker,
) -> Generator[None, None, tuple[EdgeSettings | None, Mapping[str, list[str]]]]:
    """
    @param values: those of all settings, by their names.
    @return: the settings, and what is wrong in each file.
    """
    faults: dict[str, list[str]] = defaultdict(list)
    yield
    spawns = yield from _spawns(values, configuration, maker, faults)
    if faults:
        return None, faults
    try:
        check(values)
        aliases, routed = yield from configuration.routing()
        yield
        settings = yield from makeSettings(values, spawns, aliases, routed, configuration.places)
        return settings, faults
    except Conflict as error:
        if configuration is NO_FILES or given.get(error.setting):
            raise
        where = place(configuration.file, ("edge", error.setting))
        faults[configuration.file].append(f"{where}: {str(error).replace('--', '')}")
        return None, faults


def _spawns(
    values: Mapping[str, Any],
    configuration: Configuration,
    maker: SpawnMaker,
    faults: dict[str, list[str]],
) -> Generator[None, None, list[Spawn]]:
    found = [maker.make(each) for each in values["spawn"]]
    for part in configuration.parts:
        for each in part.spawns():
            # What can't be read again might not be made again.
            try:
                found.append(maker.makeOrKeep(each.spec, bool(part.faults)))
            except UsageError as error:
                faults[part.file].append(f"{place(part.file, each.path)}: {error}")
            yield
    return found
