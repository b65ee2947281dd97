"""
The spawner C{swarm:}, which runs each instance as a service of one task, by the Docker
Engine API of a manager.

Jobs are not used: a running task of a job that is removed goes on (seen in 20.10).
"""

from __future__ import annotations

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, gatherResults

from brxy.interfaces import IInstance, SpawnOrder
from brxy.spawners.api.errors import DaemonError
from brxy.spawners.docker.base import (
    IMAGE,
    TICKET,
    EngineFactory,
    EngineSpawner,
    edgeLabels,
    orderLabels,
)
from brxy.spawners.docker.dialback import dialBack
from brxy.spawners.docker.engine import labelFilter
from brxy.spawners.docker.instance import EngineInstance
from brxy.spawners.docker.options import ContainerOptions
from brxy.spawners.docker.removal import removeService
from brxy.spawners.swarm.service import Service, isAlive
from brxy.spawners.swarm.tasks import Tasks

__all__ = ["SwarmOptions", "SwarmSpawner", "factory"]

# Seconds in which a service that an earlier run left may end.
_LEFTOVER_TIMEOUT = 20.0


@frozen(kw_only=True)
class SwarmOptions(ContainerOptions):
    """
    The keys of C{swarm:}.
    """


class SwarmSpawner(EngineSpawner):
    """
    Runs a service of the same image for each instance.
    """

    kind = "swarm"

    _tasks: Tasks | None = None

    def prepare(self, edge: str) -> None:
        """
        See L{EngineSpawner}.
        """
        if self._tasks is None:
            labels = edgeLabels(self.kind, edge)
            self._tasks = Tasks(
                self._reactor,
                self._engine,
                labels,
                lambda: self.check(""),
                lambda: bool(self._instances),
            )

    @property
    def following(self) -> Tasks:
        """
        The tasks of the services.
        """
        assert self._tasks is not None, "not prepared"
        return self._tasks

    def make(self, order: SpawnOrder) -> tuple[str, EngineInstance]:
        """
        See L{EngineSpawner}.
        """
        name = f"brxy-{token_hex(8)}"
        return name, self._service(name, self._body(name, order))

    def _service(self, name: str, body: Mapping[str, Any], service: str = "") -> Service:
        stop_timeout = self._options.stopTimeout(fronted=False)
        return Service(
            self._reactor, self._engine, self.following, name, body, stop_timeout, service
        )

    def _body(self, name: str, order: SpawnOrder) -> dict[str, Any]:
        """
        Return the body of the request that creates the service of an order.
        """
        options = self._options
        network = options.network or "host"
        back = dialBack(order.environment["BRXY_EDGE"], options.edge, network == "host")
        container = {
            "Image": options.image,
            "Args": [each.replace("{route}", order.route) for each in self._command],
            "Env": options.environment({**order.environment, "BRXY_EDGE": back.edge}),
            "Mounts": [_mount(each) for each in (*(options.volume or ()), *back.mounts)],
            "User": options.user or "",
            "Init": True,
            "StopGracePeriod": options.stopTimeout(fronted=False) * 10**9,
        }
        limits = {"MemoryBytes": options.memory or 0, "NanoCPUs": int((options.cpus or 0) * 1e9)}
        return {
            "Name": name,
            "Labels": orderLabels(self.kind, order, options.image),
            "Mode": {"Replicated": {"Replicas": 1}},
            "TaskTemplate": {
                "ContainerSpec": container,
                "Resources": {"Limits": limits},
                "RestartPolicy": {"Condition": "none"},
                "Networks": [{"Target": network}],
            },
        }

    async def find(self, edge: str, orders: Mapping[str, SpawnOrder]) -> dict[str, IInstance]:
        """
        See L{EngineSpawner}.
        """
        filters = labelFilter(edgeLabels(self.kind, edge))
        services = await self._engine.request("GET", "/services", filters=filters)
        await self.following.refresh()
        found: dict[str, IInstance] = {}
        removals = []
        for each in services:
            name, labels = each["Spec"]["Name"], each["Spec"]["Labels"]
            order = orders.get(labels.get(TICKET))
            mine = labels.get(IMAGE) == self._options.image
            alive = mine and isAlive(self.following.of(each["ID"]))
            if order is not None and order.ticket not in found and alive:
                # It exists, and is never created: no body is needed.
                service = self._service(name, {}, each["ID"])
                found[order.ticket] = self.keep(name, service, found=True)
            else:
                removals.append(Deferred.fromCoroutine(self._remove(name, each["ID"])))
        await gatherResults(removals)
        self.following.follow()
        return found

    async def _remove(self, name: str, service: str) -> None:
        try:
            await removeService(self._engine, name)
            await self.following.vanished(service, _LEFTOVER_TIMEOUT)
        except DaemonError as error:
            self._log.warn("{name} of an earlier run: {e}", name=name, e=error)
            self.following.doom(name)
        else:
            self._log.info("removed {name} of an earlier run", name=name)

    def close(self) -> None:
        """
        See L{EngineSpawner}.
        """
        if self._tasks is not None:
            self._tasks.stop()


def _mount(volume: str) -> dict[str, Any]:
    """
    Write a volume of the options in the form of the API for services.
    """
    source, target, *mode = volume.split(":")
    return {
        "Type": "bind" if source.startswith("/") else "volume",
        "Source": source,
        "Target": target,
        "ReadOnly": mode == ["ro"],
    }


factory = EngineFactory(
    "swarm",
    "runs a service of a Docker swarm for each instance, by the Engine API of a manager",
    SwarmOptions,
    SwarmSpawner,
)
