"""
The base of the spawners that use a Docker daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from brxy.errors import BadSpawnSpec
from brxy.interfaces import IInstance, IRecovering, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.api.errors import DaemonError
from brxy.spawners.api.outage import Outage
from brxy.spawners.docker.engine import DEFAULT_HOST, Engine, socketFault
from brxy.spawners.docker.instance import EngineInstance
from brxy.spawners.running import Running

__all__ = ["IMAGE", "TICKET", "EngineFactory", "EngineSpawner", "edgeLabels", "orderLabels"]

#: The label with the ticket of the order.
TICKET = "brxy.ticket"

#: The label with the image.
IMAGE = "brxy.image"

# Seconds between two attempts to find what an earlier run of the edge left.
_PAUSE = 1.0


def edgeLabels(kind: str, edge: str) -> dict[str, str]:
    """
    Return the labels of everything that one spawner of one edge starts.
    """
    return {"brxy.edge": edge, "brxy.spawner": kind}


def orderLabels(kind: str, order: SpawnOrder, image: str) -> dict[str, str]:
    """
    Return the labels of the instance of one order.
    """
    mine = {TICKET: order.ticket, "brxy.route": order.route, IMAGE: image}
    return {**edgeLabels(kind, order.edge), **mine}


@implementer(ISpawner, IRecovering)
class EngineSpawner:
    """
    Has a daemon run a container or service for each instance, which a subclass makes.
    """

    dials_back = True

    _log = Logger()

    def __init__(self, options: Any, command: Sequence[str], reactor: Any, engine: Engine) -> None:
        self._options = options
        self._command = command
        self._reactor = reactor
        self._engine = engine
        self._running = Running()
        self._instances: dict[str, EngineInstance] = {}

    # For subclasses to implement

    def prepare(self, edge: str) -> None:
        """
        Take the id of the edge.  Called before every order and before recovery.
        """
        raise NotImplementedError

    def make(self, order: SpawnOrder) -> tuple[str, EngineInstance]:
        """
        Make the instance of an order.

        @return: its name, and the instance, not started yet.
        @raise SpawnFailed: it can't be made.
        """
        raise NotImplementedError

    async def find(self, edge: str, orders: Mapping[str, SpawnOrder]) -> dict[str, IInstance]:
        """
        See L{IRecovering}.

        @param orders: the orders by their tickets.
        @raise DaemonError: the daemon does not answer.
        """
        raise NotImplementedError

    def close(self) -> None:
        """
        All instances are gone, and no more are started.
        """
        raise NotImplementedError

    # The same for all

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        self.prepare(order.edge)
        return self.keep(*self.make(order))

    def keep(self, name: str, instance: EngineInstance, found: bool = False) -> IInstance:
        """
        Start an instance, and keep it until it is over.

        @param found: it runs already.
        """
        self._instances[name] = instance
        instance.over.addCallback(lambda _: self._instances.pop(name))
        self._running.add(instance, instance.over)
        instance.start(found)
        return instance

    def check(self, name: str) -> None:
        """
        Have an instance check its state.

        @param name: of the instance; C{""}: all of them.
        """
        for instance in [self._instances.get(name)] if name else list(self._instances.values()):
            if instance is not None:
                instance.checkAgain()

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
        warning = "can't find yet what an earlier run left: {error}"
        outage = Outage(self._log, warning, lambda failures: _PAUSE)
        while True:
            try:
                return await self.find(edge, orders)
            except DaemonError as error:
                # When the machine starts, the daemon may come up after the edge.
                pause = outage.failed(error)
            await deferLater(self._reactor, pause)


@implementer(ISpawnerFactory)
@frozen
class EngineFactory:
    """
    Makes spawners that use the daemon at C{DOCKER_HOST}.

    @ivar make: makes a spawner from its options, the command, the reactor and the
        daemon; it may raise L{BadSpawnSpec}.
    """

    name: str
    summary: str
    options: type[Any]
    make: Callable[[Any, Sequence[str], Any, Engine], ISpawner]
    environ: Mapping[str, str] = os.environ

    _log: ClassVar[Logger] = Logger()

    def create(self, options: Any, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if self.environ.get("DOCKER_TLS_VERIFY"):
            raise BadSpawnSpec(
                f"{self.name}: no TLS to the daemon (DOCKER_TLS_VERIFY); forward its socket by ssh"
            )
        host = self.environ.get("DOCKER_HOST") or DEFAULT_HOST
        engine = Engine(reactor, host)
        fault = socketFault(host)
        if fault:
            self._log.warn(
                "{name}: no Docker daemon at {host} ({fault}); every start fails until it is "
                "there; DOCKER_HOST may name another one",
                name=self.name,
                host=host,
                fault=fault,
            )
        return self.make(options, command, reactor, engine)
