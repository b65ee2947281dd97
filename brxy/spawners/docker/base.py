"""
What the spawners share that have a Docker daemon run things.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from brxy.errors import BadSpawnSpec
from brxy.interfaces import IInstance, IRecovering, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.api.errors import DaemonError
from brxy.spawners.docker.engine import DEFAULT_HOST, Engine
from brxy.spawners.docker.instance import Managed
from brxy.spawners.running import Running

__all__ = ["IMAGE", "TICKET", "EngineFactory", "ManagingSpawner", "edgeLabels", "orderLabels"]

#: The label that tells which order something runs for.
TICKET = "brxy.ticket"

#: The label that tells of which image it is.
IMAGE = "brxy.image"

# Seconds between two attempts to find what an earlier run has left.
_PAUSE = 1.0


def edgeLabels(kind: str, edge: str) -> dict[str, str]:
    """
    What everything bears that one spawner has started.
    """
    return {"brxy.edge": edge, "brxy.spawner": kind}


def orderLabels(kind: str, order: SpawnOrder, image: str) -> dict[str, str]:
    """
    What an instance bears.
    """
    mine = {TICKET: order.ticket, "brxy.route": order.route, IMAGE: image}
    return {**edgeLabels(kind, order.edge), **mine}


@implementer(ISpawner, IRecovering)
class ManagingSpawner:
    """
    Has a daemon run one more thing for each instance.  What that is says a
    subclass.
    """

    dials_back = True

    _log = Logger()

    def __init__(self, options: Any, command: Sequence[str], reactor: Any, engine: Engine) -> None:
        self._options = options
        self._command = command
        self._reactor = reactor
        self._engine = engine
        self._running = Running()
        self._managed: dict[str, Managed] = {}

    # What a subclass does

    def prepare(self, edge: str) -> None:
        """
        Learn the edge's id: called before all else, and as often.
        """
        raise NotImplementedError

    def make(self, order: SpawnOrder) -> tuple[str, Managed]:
        """
        @return: what is to run, and its name.
        @raise SpawnFailed: it can't.
        """
        raise NotImplementedError

    async def find(self, edge: str, orders: Mapping[str, SpawnOrder]) -> dict[str, IInstance]:
        """
        See L{IRecovering}.

        @param orders: by their tickets.
        @raise DaemonError: the daemon can't say.
        """
        raise NotImplementedError

    def close(self) -> None:
        """
        Nothing runs any more, nor will.
        """
        raise NotImplementedError

    # What all do

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        self.prepare(order.edge)
        return self.keep(*self.make(order))

    def keep(self, name: str, managed: Managed, found: bool = False) -> IInstance:
        """
        Have it begin.

        @param found: it runs already.
        """
        self._managed[name] = managed
        managed.over.addCallback(lambda _: self._managed.pop(name))
        self._running.add(managed, managed.over)
        managed.start(found)
        return managed

    def told(self, name: str) -> None:
        """
        Something may have become of one of them, or with C{""} of any.
        """
        for managed in [self._managed.get(name)] if name else list(self._managed.values()):
            if managed is not None:
                managed.lookAgain()

    def stop(self) -> Deferred[None]:
        """
        See L{ISpawner}.
        """
        return self._running.stop().addCallback(lambda _: self.close())

    def recover(self, edge: str, orders: Sequence[SpawnOrder]) -> Deferred[dict[str, IInstance]]:
        """
        See L{IRecovering}.
        """
        self.prepare(edge)
        return Deferred.fromCoroutine(self._recover(edge, {each.ticket: each for each in orders}))

    async def _recover(self, edge: str, orders: Mapping[str, SpawnOrder]) -> dict[str, IInstance]:
        complained = False
        while True:
            try:
                return await self.find(edge, orders)
            except DaemonError as error:
                # A daemon that comes up with the machine may come after the edge.
                if not complained:
                    self._log.warn("what an earlier run left is not known yet: {e}", e=error)
                complained = True
            await deferLater(self._reactor, _PAUSE)


@implementer(ISpawnerFactory)
@frozen
class EngineFactory:
    """
    Makes spawners that use the daemon that C{DOCKER_HOST} names.

    @ivar make: makes one, of its options, the command, the reactor and the
        daemon; it may raise L{BadSpawnSpec}.
    """

    name: str
    summary: str
    options: type[Any]
    make: Callable[[Any, Sequence[str], Any, Engine], ISpawner]
    environ: Mapping[str, str] = os.environ

    def create(self, options: Any, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if self.environ.get("DOCKER_TLS_VERIFY"):
            raise BadSpawnSpec(
                f"{self.name}: no TLS to the daemon (DOCKER_TLS_VERIFY); forward its socket by ssh"
            )
        engine = Engine(reactor, self.environ.get("DOCKER_HOST") or DEFAULT_HOST)
        return self.make(options, command, reactor, engine)
