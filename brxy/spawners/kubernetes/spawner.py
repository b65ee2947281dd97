"""
The spawner C{kubernetes:}, which runs a Pod for each instance by the Kubernetes API.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from zope.interface import implementer

from brxy.errors import BadSpawnSpec
from brxy.interfaces import IInstance, IRecovering, ISpawner, ISpawnerFactory, SpawnOrder
from brxy.spawners.api.errors import Unreachable
from brxy.spawners.kubernetes.api import KubeAPI, tlsFor
from brxy.spawners.kubernetes.config import MOUNTED, ClusterAccess, findAccess
from brxy.spawners.kubernetes.credentials import FileCredentials
from brxy.spawners.kubernetes.files import loadTemplate
from brxy.spawners.kubernetes.instance import PodInstance
from brxy.spawners.kubernetes.options import (
    USUAL_TIMES,
    APITimes,
    PodOptions,
    PodTimes,
    checkTogether,
    isNamespace,
    podTimes,
)
from brxy.spawners.kubernetes.pod import (
    EDGE,
    TICKET,
    PodOwner,
    PodPlan,
    imageTemplate,
    labelValue,
    makePod,
)
from brxy.spawners.kubernetes.pods import KubePods
from brxy.spawners.kubernetes.status import endOf
from brxy.spawners.kubernetes.watch import PodWatch
from brxy.spawners.running import Running

__all__ = ["KubernetesFactory", "KubernetesSpawner", "PodOptions", "factory"]

# Seconds in which a Pod that an earlier run left may end: the edge waits for
# at most 30, and clients wait for the edge.
_LEFTOVER_TIMEOUT = 10.0


@implementer(ISpawner, IRecovering)
class KubernetesSpawner:
    """
    Creates a Pod of the same plan for each instance.
    """

    dials_back = True

    def __init__(self, reactor: Any, api: KubeAPI, plan: PodPlan, times: PodTimes) -> None:
        self.dials_back = not times.port
        self._reactor = reactor
        self._plan = plan
        self._times = times
        self._pods = KubePods(api, plan.namespace, times.api.watch)
        self._running = Running()
        self._instances: set[PodInstance] = set()
        self._watch: PodWatch | None = None

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        watch = self._watching(order.edge)
        instance = self._instance(order.ticket, watch)
        instance.begin(makePod(order, self._plan))
        return instance

    def _watching(self, edge: str) -> PodWatch:
        # All orders of a spawner come from the same edge.
        if self._watch is None:
            selector = f"{EDGE}={labelValue(edge)}"
            self._watch = PodWatch(
                self._reactor, self._pods, selector, self._changed, self._vanished
            )
            self._watch.start()
        return self._watch

    def _instance(self, ticket: str, watch: PodWatch) -> PodInstance:
        instance = PodInstance(self._reactor, self._pods, self._times, labelValue(ticket), watch)
        self._instances.add(instance)
        self._running.add(instance, instance.over)
        instance.over.addCallback(lambda _: self._instances.discard(instance))
        return instance

    def stop(self) -> Deferred[None]:
        """
        See L{ISpawner}.
        """
        return self._running.stop().addCallback(self._stopped)

    def _stopped(self, _: None) -> None:
        if self._watch is not None:
            self._watch.stop()

    # Reports of the watch

    def _changed(self, pod: Mapping[str, Any]) -> None:
        for instance in self._owners(pod):
            instance.changed(pod)

    def _vanished(self, pod: Mapping[str, Any]) -> None:
        for instance in self._owners(pod):
            instance.vanished(pod)

    def _owners(self, pod: Mapping[str, Any]) -> list[PodInstance]:
        name, ticket = pod["metadata"]["name"], _ticket(pod)
        return [
            each for each in self._instances if each.ticket == ticket and each.name in ("", name)
        ]

    # Pods that an earlier run left

    def recover(self, edge: str, orders: Sequence[SpawnOrder]) -> Deferred[dict[str, IInstance]]:
        """
        See L{IRecovering}.
        """
        return Deferred.fromCoroutine(self._recover(edge, orders))

    async def _recover(self, edge: str, orders: Sequence[SpawnOrder]) -> dict[str, IInstance]:
        there, _ = await self._pods.list(f"{EDGE}={labelValue(edge)}")
        watch = self._watching(edge)
        wanted = {labelValue(order.ticket): order.ticket for order in orders}
        found: dict[str, IInstance] = {}
        leaving = []
        for pod in there:
            instance = self._instance(_ticket(pod), watch)
            ticket = wanted.get(instance.ticket)
            lives = endOf(pod) is None and not pod["metadata"].get("deletionTimestamp")
            if ticket is not None and ticket not in found and lives:
                found[ticket] = IInstance(instance)
            else:
                leaving.append(_overOf(instance))
            instance.adopt(pod)
            if instance is not found.get(ticket or ""):
                instance.stopWithin(_LEFTOVER_TIMEOUT)
        await gatherResults(leaving)
        return found


def _ticket(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("labels") or {}).get(TICKET, ""))


def _overOf(instance: PodInstance) -> Deferred[None]:
    """
    @return: fires when an instance is over; cancelling it has no effect on others that
        wait for the instance.
    """
    over: Deferred[None] = Deferred()
    instance.over.addCallback(lambda _: None if over.called else over.callback(None))
    return over


@implementer(ISpawnerFactory)
class KubernetesFactory:
    """
    Makes L{KubernetesSpawner}s.

    @param environ: the environment of the edge, which may name the cluster and the edge's
        own Pod.
    @param mounted: the folder with the service account of a Pod.
    @param times: how long the API is waited for.
    """

    name = "kubernetes"
    summary = "runs a Pod in a Kubernetes cluster for each instance"
    options = PodOptions
    written_for = 1

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        mounted: Path = MOUNTED,
        times: APITimes = USUAL_TIMES,
    ) -> None:
        self._environ = environ
        self._mounted = mounted
        self._times = times

    def create(self, options: PodOptions, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        checkTogether(options)
        if options.template is not None:
            template = loadTemplate(Path(options.template))
        else:
            template = imageTemplate(options.image or "")
        access = findAccess(
            reactor, self._environ, options.kubeconfig, options.context, self._mounted
        )
        _checkTLS(access)
        named = (template.get("metadata") or {}).get("namespace")
        namespace = options.namespace or named or access.namespace or "default"
        if not isNamespace(namespace):
            raise BadSpawnSpec(f"kubernetes: {namespace!r} is not a namespace")
        owner = self._owner(namespace)
        plan = PodPlan(template, namespace, command, options.edge or "", options.port or 0, owner)
        times = podTimes(options, self._times)
        return KubernetesSpawner(
            reactor, KubeAPI(reactor, access, self._times.answer), plan, times
        )

    def _owner(self, namespace: str) -> PodOwner | None:
        """
        Find the edge's own Pod, if the Pods of instances are to be removed with it.
        """
        name, uid = self._environ.get("POD_NAME"), self._environ.get("POD_UID")
        own = self._environ.get("POD_NAMESPACE")
        if own is None and (self._mounted / "namespace").exists():
            own = (self._mounted / "namespace").read_text().strip()
        # The cluster takes an owner in another namespace for one that is gone.
        return PodOwner(name, uid) if name and uid and own == namespace else None


def _checkTLS(access: ClusterAccess) -> None:
    """
    Check when the edge starts that certificates and keys can be used.

    @raise BadSpawnSpec: they can't.
    """
    if not access.server.startswith("https:") or not isinstance(
        access.credentials, FileCredentials
    ):
        return
    try:
        tlsFor(access, access.credentials.read())
    except Unreachable as error:
        raise BadSpawnSpec(f"kubernetes: {error}") from None


factory = KubernetesFactory()
