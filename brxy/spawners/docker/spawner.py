"""
The spawner C{docker:}, which runs a container for each instance by the Docker Engine API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from attrs import field, frozen
from attrs.converters import optional
from twisted.internet.defer import Deferred, gatherResults

from brxy.apps.checks import siteQuestion
from brxy.errors import BadSpawnSpec
from brxy.interfaces import IInstance, SpawnOrder
from brxy.readiness import urlPath
from brxy.spawners.api.errors import DaemonError
from brxy.spawners.docker.base import (
    IMAGE,
    TICKET,
    EngineFactory,
    EngineSpawner,
    edgeLabels,
    orderLabels,
)
from brxy.spawners.docker.container import Container, ContainerPlan, Daemon
from brxy.spawners.docker.dialback import dialBack
from brxy.spawners.docker.engine import Engine, labelFilter
from brxy.spawners.docker.instance import EngineInstance
from brxy.spawners.docker.options import ContainerOptions, oneOf
from brxy.spawners.docker.pulls import Pulls
from brxy.spawners.docker.removal import removeContainer, stopContainer
from brxy.spawners.docker.watch import Watch
from brxy.spawners.output import lackingLogger
from brxy.spawners.spec import portNumber, seconds

__all__ = ["DockerSpawner", "DockerOptions", "factory"]

# Seconds in which a container that an earlier run left may end: the edge waits for
# at most 30, and clients wait for the edge.
_LEFTOVER_TIMEOUT = 10


def _whenPulled(text: str) -> str:
    return oneOf(text, "missing", "always", "never")


@frozen(kw_only=True)
class DockerOptions(ContainerOptions):
    """
    The keys of C{docker:}.
    """

    port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "the port of the app in the container; without it a node runs there"},
    )
    ready_path: str | None = field(
        default=None,
        converter=optional(urlPath),
        metadata={"help": "with port=: ready when a GET of this path is answered with 2xx or 3xx"},
    )
    health_interval: float | None = field(
        default=None,
        converter=optional(seconds),
        metadata={"help": "seconds between two runs of the image's HEALTHCHECK; 0: never"},
    )
    pull: str = field(
        default="missing",
        converter=_whenPulled,
        metadata={"help": "when the image is pulled: missing, always or never"},
    )


class DockerSpawner(EngineSpawner):
    """
    Runs a container of the same image for each instance.

    @raise BadSpawnSpec: the options contradict each other.
    """

    kind = "docker"

    _watch: Watch | None = None

    def __init__(
        self, options: DockerOptions, command: Sequence[str], reactor: Any, engine: Engine
    ) -> None:
        super().__init__(options, command, reactor, engine)
        if options.port is not None and options.network in ("host", "none"):
            raise BadSpawnSpec(
                "docker: port= needs an address of the container's own, "
                f"which network={options.network} has not"
            )
        if options.port is None and options.ready_path is not None:
            raise BadSpawnSpec("docker: ready-path= needs port=; a node has --ready-path")
        self.dials_back = options.port is None
        self._pulls = Pulls(engine)

    def prepare(self, edge: str) -> None:
        """
        See L{EngineSpawner}.
        """
        if self._watch is None:
            self._watch = Watch(
                self._reactor, self._engine, edgeLabels(self.kind, edge), self.check
            )

    @property
    def _daemon(self) -> Daemon:
        assert self._watch is not None, "not prepared"
        return Daemon(self._reactor, self._engine, self._watch, self._pulls)

    def make(self, order: SpawnOrder) -> tuple[str, EngineInstance]:
        """
        See L{EngineSpawner}.
        """
        name = f"brxy-{token_hex(8)}"
        return name, self._container(name, order, self._body(order))

    def _container(self, name: str, order: SpawnOrder, body: Mapping[str, Any]) -> Container:
        options = self._options
        version = order.environment.get("BRXY_SEND_PROXY")
        plan = ContainerPlan(
            name,
            body,
            options.pull,
            options.port,
            options.stopTimeout(options.port is not None),
            siteQuestion(options.ready_path, order.route, version),
            lackingLogger(self._log, order.route, order.ticket),
        )
        return Container(self._daemon, plan)

    def _body(self, order: SpawnOrder) -> dict[str, Any]:
        """
        Return the body of the request that creates the container of an order.
        """
        options = self._options
        ours, mounts, port = self._surroundings(order)
        replaced = [
            each.replace("{route}", order.route).replace("{port}", port) for each in self._command
        ]
        host = {
            "Binds": [*(options.volume or ()), *mounts],
            "Init": True,
            "NetworkMode": options.network or "default",
            "Memory": options.memory or 0,
            "NanoCpus": int((options.cpus or 0) * 1e9),
        }
        return {
            "Image": options.image,
            "Env": options.environment(ours),
            "Labels": orderLabels(self.kind, order, options.image),
            "HostConfig": host,
            "User": options.user or "",
            **({"Cmd": replaced} if replaced else {}),
            **_healthcheck(options.health_interval),
        }

    def _surroundings(self, order: SpawnOrder) -> tuple[dict[str, str], Sequence[str], str]:
        """
        @return: the environment and the mounts that brxy needs, and the value of
            C{{port}}.
        """
        options = self._options
        if options.port is not None:
            port = str(options.port)
            return {"ROUTE": order.route, "PORT": port, "HOST": "0.0.0.0"}, (), port
        host_network = options.network == "host"
        back = dialBack(order.environment["BRXY_EDGE"], options.edge, host_network)
        # The node knows the port.
        return {**order.environment, "BRXY_EDGE": back.edge}, back.mounts, "{port}"

    async def find(self, edge: str, orders: Mapping[str, SpawnOrder]) -> dict[str, IInstance]:
        """
        See L{EngineSpawner}.
        """
        await self._daemon.watch.up()
        filters = labelFilter(edgeLabels(self.kind, edge))
        found: dict[str, IInstance] = {}
        removals = []
        for each in await self._engine.request("GET", "/containers/json", all=1, filters=filters):
            name, labels = each["Names"][0].lstrip("/"), each["Labels"]
            order = orders.get(labels.get(TICKET))
            mine = labels.get(IMAGE) == self._options.image
            if name in self._instances:
                continue
            if order is not None and order.ticket not in found and mine and _runs(each):
                # It exists, and is never created: no body is needed.
                adopted = self._container(name, order, {})
                found[order.ticket] = self.keep(name, adopted, found=True)
            else:
                removals.append(Deferred.fromCoroutine(self._remove(name)))
        await gatherResults(removals)
        return found

    async def _remove(self, name: str) -> None:
        try:
            await stopContainer(self._engine, name, _LEFTOVER_TIMEOUT)
            await removeContainer(self._engine, name)
        except DaemonError as error:
            self._log.warn("{name} of an earlier run: {e}", name=name, e=error)
            self._daemon.watch.doom(name)
        else:
            self._log.info("removed {name} of an earlier run", name=name)

    def close(self) -> None:
        """
        See L{EngineSpawner}.
        """
        self._pulls.stop()
        if self._watch is not None:
            self._watch.stop()


def _healthcheck(interval: float | None) -> dict[str, Any]:
    """
    @return: what changes the HEALTHCHECK of an image, as the API takes it.
    """
    if interval is None:
        return {}
    return {"Healthcheck": {"Interval": int(interval * 1e9)} if interval else {"Test": ["NONE"]}}


def _runs(container: Mapping[str, Any]) -> bool:
    return bool(container["State"] == "running")


factory = EngineFactory(
    "docker",
    "runs a container for each instance by the Docker Engine API",
    DockerOptions,
    DockerSpawner,
)
