"""
Starting instances by spawners, and ending them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.edge.instance import Instance
from brxy.errors import SpawnFailed
from brxy.interfaces import Address, Gone, IInstance, ISpawner, SpawnOrder

__all__ = ["Spawning", "Starter"]


@frozen
class Spawning:
    """
    One C{--spawn}.

    @ivar idle_timeout: how long the newest instance of a route may be idle,
        in seconds.
    @ivar old_idle_timeout: the same for an older one.
    """

    spawner: ISpawner
    idle_timeout: float
    old_idle_timeout: float


class Starter:
    """
    Performs the orders of the scaler, and reports what becomes of them.

    @param edge: where nodes dial the edge, as a Twisted client endpoint.
    @param token: what they bring; C{""} if none is asked for.
    """

    _log = Logger()

    def __init__(
        self,
        spawnings: Sequence[Spawning],
        edge: str,
        token: str,
        ready: Callable[[Instance, Address, Spawning], None],
        gone: Callable[[Instance, Gone], None],
        failed: Callable[[Instance, str], None],
    ) -> None:
        self._spawnings = spawnings
        self._edge = edge
        self._token = token
        self._ready = ready
        self._gone = gone
        self._failed = failed
        self._handles: dict[Instance, IInstance] = {}

    def start(self, instance: Instance) -> None:
        """
        Start what was ordered.
        """
        assert instance.spawner is not None, "an order without a spawner"
        spawning = self._spawnings[instance.spawner]
        order = SpawnOrder(
            instance.ticket,
            instance.route,
            instance.capacity,
            self._environment(instance, spawning),
        )
        try:
            handle = spawning.spawner.spawn(order)
        except SpawnFailed as error:
            self._failed(instance, str(error))
            return
        except Exception:
            self._log.failure("the spawner of {route} is broken", route=instance.route)
            self._failed(instance, "its spawner is broken")
            return
        self._handles[instance] = handle
        handle.ready.addCallbacks(
            lambda address: self._ready(instance, address, spawning), self._unready
        )
        handle.gone.addCallback(lambda gone: self._ended(instance, gone))
        for told in (handle.ready, handle.gone):
            told.addErrback(lambda failure: self._log.failure("after a spawner's word", failure))

    def _environment(self, instance: Instance, spawning: Spawning) -> dict[str, str]:
        environment = {
            "ROUTE": instance.route,
            "BRXY_EDGE": self._edge,
            "BRXY_TICKET": instance.ticket,
            "BRXY_CAPACITY": str(instance.capacity),
            "BRXY_GENERATION": str(instance.generation),
            "BRXY_IDLE_TIMEOUT": f"{spawning.idle_timeout:g}",
            "BRXY_OLD_IDLE_TIMEOUT": f"{spawning.old_idle_timeout:g}",
        }
        if self._token:
            environment["BRXY_TOKEN"] = self._token
        return environment

    def _unready(self, failure: Failure) -> None:
        # A spawner may cancel what it will never fire.
        failure.trap(CancelledError)

    def _ended(self, instance: Instance, gone: Gone) -> None:
        if not gone.detached:
            self.forget(instance)
        self._gone(instance, gone)

    def stop(self, instance: Instance) -> None:
        """
        End an instance, if a spawner has a hold on it.
        """
        handle = self._handles.get(instance)
        if handle is not None:
            handle.stop()

    def forget(self, instance: Instance) -> None:
        """
        An instance that lived on without its spawner is gone.
        """
        self._handles.pop(instance, None)

    def stopAll(self) -> Deferred[Any]:
        """
        End everything that was started.

        @return: fires when it is gone.
        """
        return gatherResults([each.spawner.stop() for each in self._spawnings])
