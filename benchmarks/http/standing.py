"""
A spawner whose app runs already: in valgrind, an edge can't start one.
"""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from brxy.interfaces import Address, Gone, IInstance, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.registry import GROUP

__all__ = ["factory", "install"]


@frozen
class _Options:
    port: int = field(converter=int, metadata={"help": "the app's port of 127.0.0.1"})


@implementer(IInstance)
class _Instance:
    def __init__(self, port: int) -> None:
        self.ready = succeed(Address("127.0.0.1", port))
        self.gone: Deferred[Gone] = Deferred()

    def stop(self) -> None:
        if not self.gone.called:
            self.gone.callback(Gone("stopped"))


@implementer(ISpawner)
class _Spawner:
    dials_back = False

    def __init__(self, port: int) -> None:
        self._port = port
        self._instances: list[_Instance] = []

    def spawn(self, order: SpawnOrder) -> _Instance:
        self._instances.append(_Instance(self._port))
        return self._instances[-1]

    def stop(self) -> Deferred[None]:
        for instance in self._instances:
            instance.stop()
        return succeed(None)


@implementer(ISpawnerFactory)
class _Factory:
    name = "standing"
    summary = "An app that runs already."
    options = _Options

    def create(self, options: _Options, command: object, reactor: object) -> _Spawner:
        return _Spawner(options.port)


factory = _Factory()


def install(folder: Path) -> None:
    """
    Make the spawner known to each process that has this folder in C{PYTHONPATH}.
    """
    metadata = folder / "standing-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: standing\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nstanding = {__name__}:factory\n")
