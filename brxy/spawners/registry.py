"""
Finds spawners by their names: those of brxy, of installed entry points and of plugins.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

from twisted.plugin import getCache

import twisted.plugins
from brxy.errors import BadSpawnSpec
from brxy.interfaces import SPAWNER_VERSION, ISpawner, ISpawnerFactory
from brxy.spawners.spec import Common, SpawnSpec, parseSpawn, splitCommon
from brxy.values.text import oneLine

__all__ = ["BUILT_IN", "GROUP", "buildSpawner", "findSpawner", "findSpawners"]

#: The entry point group for spawners.
GROUP = "brxy.spawners"

#: The spawners of brxy.  They are known without metadata, so that a plain checkout runs;
#: and they come first, so that no installed package changes what they mean.
BUILT_IN = tuple(
    EntryPoint(name, f"{module}:factory", GROUP)
    for name, module in (
        ("process", "brxy.spawners.local.process"),
        ("app", "brxy.spawners.local.app"),
        ("ssh", "brxy.spawners.ssh.spawner"),
        ("docker", "brxy.spawners.docker.spawner"),
        ("swarm", "brxy.spawners.swarm.spawner"),
        ("kubernetes", "brxy.spawners.kubernetes.spawner"),
    )
)


def buildSpawner(spec: str | SpawnSpec, reactor: Any) -> tuple[Common, ISpawner]:
    """
    Make the spawner that a C{--spawn} describes.

    @raise BadSpawnSpec: the text does not follow the grammar, or names no known spawner.
    """
    if isinstance(spec, str):
        spec = parseSpawn(spec)
    factory = findSpawner(spec.name)
    common, own = splitCommon(spec, factory.options)
    return common, factory.create(own, spec.command, reactor)


def findSpawner(
    name: str,
    installed: Iterable[EntryPoint] | None = None,
    plugins: ModuleType = twisted.plugins,
) -> ISpawnerFactory:
    """
    Find the factory of a spawner.

    @param installed: the entry points to search, by default all of L{GROUP}.
    @param plugins: the package of plugins, which is searched last.
    @raise BadSpawnSpec: there is no spawner of this name, or it can't be loaded.
    """
    for offer in BUILT_IN:
        if offer.name == name:
            # Without a look at all installed packages, which takes 10 ms.
            return _load(offer)
    offers = _offers(installed)
    for offer in offers:
        if offer.name == name:
            return _load(offer)
    factories, broken = _loadPlugins(plugins)
    if name in factories:
        _checkVersion(name, factories[name])
        return factories[name]
    known = ", ".join(sorted({offer.name for offer in offers} | factories.keys()))
    notes = "".join(f"; {each}" for each in broken)
    raise BadSpawnSpec(f"there is no spawner {name!r} (known: {known}){notes}")


def findSpawners(
    installed: Iterable[EntryPoint] | None = None,
    plugins: ModuleType = twisted.plugins,
) -> tuple[dict[str, ISpawnerFactory], list[str]]:
    """
    Find all spawners that L{findSpawner} finds by name.

    @return: the factories by their names, and a line about each spawner that can't be
        used.
    """
    factories: dict[str, ISpawnerFactory] = {}
    others, broken = _loadPlugins(plugins)
    names = set()
    for offer in _offers(installed):
        if offer.name in names:
            continue
        names.add(offer.name)
        try:
            factories[offer.name] = _load(offer)
        except BadSpawnSpec as error:
            broken.append(str(error))
    for name in others.keys() - names:
        try:
            _checkVersion(name, others[name])
            factories[name] = others[name]
        except BadSpawnSpec as error:
            broken.append(str(error))
    return factories, broken


def _offers(installed: Iterable[EntryPoint] | None) -> list[EntryPoint]:
    return [*BUILT_IN, *(entry_points(group=GROUP) if installed is None else installed)]


def _load(offer: EntryPoint) -> ISpawnerFactory:
    """
    Load the factory that an entry point names.
    """
    try:
        factory = offer.load()
    except Exception as error:
        why = oneLine(f"{type(error).__name__}: {error}")
        raise BadSpawnSpec(
            f"the spawner {offer.name!r} can't be loaded from {offer.value}: {why}"
        ) from error
    if not ISpawnerFactory.providedBy(factory):
        raise BadSpawnSpec(
            f"the spawner {offer.name!r} can't be used: {offer.value} is not an ISpawnerFactory"
        )
    _checkVersion(offer.name, factory)
    return ISpawnerFactory(factory)


def _checkVersion(name: str, factory: Any) -> None:
    """
    @raise BadSpawnSpec: the spawner needs a newer brxy.
    """
    version = getattr(factory, "written_for", 1)
    if type(version) is not int or version < 1:
        raise BadSpawnSpec(f"the spawner {name!r} can't be used: its written_for is not a version")
    if version > SPAWNER_VERSION:
        raise BadSpawnSpec(
            f"the spawner {name!r} can't be used: it was written for version {version} of brxy's"
            f" spawner interfaces, and this brxy has {SPAWNER_VERSION}"
        )


def _loadPlugins(package: ModuleType) -> tuple[dict[str, ISpawnerFactory], list[str]]:
    """
    Load the plugins that C{twisted.plugin.getPlugins} finds.  That function logs a
    traceback for each broken plugin, even for one that is not used.

    @return: the factories by their names, and a line about each broken plugin, whose name
        is not known.
    """
    factories: dict[str, ISpawnerFactory] = {}
    broken: list[str] = []
    for dropin in getCache(package).values():
        for plugin in dropin.plugins:
            if not any(each.isOrExtends(ISpawnerFactory) for each in plugin.provided):
                continue
            try:
                factory = ISpawnerFactory(plugin.load())
                if not isinstance(factory.name, str):
                    raise TypeError("its name is not text")
                factories.setdefault(factory.name, factory)
            except Exception as error:
                why = oneLine(f"{type(error).__name__}: {error}")
                broken.append(f"the plugin {dropin.moduleName} is broken: {why}")
    return factories, broken
