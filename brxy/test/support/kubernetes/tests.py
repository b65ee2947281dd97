"""
Helpers that tests of C{kubernetes:} share.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from brxy.interfaces import Gone, IInstance, SpawnOrder
from brxy.spawners.kubernetes.options import USUAL_TIMES, APITimes
from brxy.spawners.kubernetes.spawner import KubernetesFactory, KubernetesSpawner
from brxy.spawners.spec import parseSpawn, splitCommon
from brxy.test.support.kubernetes.cluster import Cluster
from brxy.test.support.kubernetes.store import Object
from brxy.test.support.loopback.leftovers import RealTests

__all__ = ["ClusterTests", "checkModel"]


def checkModel(model: str, sent: Object) -> None:
    """
    Check that the official models contain all fields of an object, and convert
    it to an equal one.

    @param model: such as C{V1Pod}.
    """
    # The import takes a second.
    from kubernetes.client import ApiClient

    client = ApiClient()
    read = client.deserialize(json.dumps(sent), model, "application/json")
    # The models format the same times in another way.
    written = json.loads(
        json.dumps(client.sanitize_for_serialization(read)).replace("+00:00", "Z")
    )
    if written != sent:
        raise AssertionError(f"no {model}: {sent} is read as {written}")


class ClusterTests(RealTests):
    """
    Base of tests with a cluster of their own.

    @ivar folder: of each test's own.
    @ivar edge_id: the id of the edge that orders.
    @ivar logged: what was logged as a warning or worse.
    """

    timeout = 30

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(tempfile.mkdtemp(prefix="brxy-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.edge_id = uuid4().hex
        self.cluster = Cluster(self.reactor)
        self.cluster.start()
        self.kubeconfig = self.cluster.writeConfig(self.folder / "kubeconfig")
        self.addCleanup(lambda: Deferred.fromCoroutine(self.cluster.stop()))
        self.logged: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event["log_level"].name in ("warn", "error", "critical"):
                self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

    def spawner(
        self, spec: str = "image=app:1 port=8000 -- sleep 1000", times: APITimes = USUAL_TIMES
    ) -> KubernetesSpawner:
        """
        @param spec: the spawn string after C{kubernetes:}.
        """
        factory = KubernetesFactory({"KUBECONFIG": self.kubeconfig}, self.folder, times)
        parsed = parseSpawn(f"kubernetes: {spec}")
        _, options = splitCommon(parsed, factory.options)
        spawner = factory.create(options, parsed.command, self.reactor)
        assert isinstance(spawner, KubernetesSpawner)
        self.addCleanup(spawner.stop)
        return spawner

    def order(self, route: str = "example.com", **environment: str) -> SpawnOrder:
        """
        Make one more order of the edge.
        """
        ticket = uuid4().hex
        environ = {"ROUTE": route, "BRXY_EDGE": "nowhere", "BRXY_TICKET": ticket, **environment}
        return SpawnOrder(ticket, route, 1, environ, self.edge_id)

    def pod(self) -> Object:
        """
        @return: the only existing Pod.
        """
        (pod,) = self.cluster.pods
        return pod

    async def runningPod(self) -> Object:
        """
        @return: the only existing Pod, once it runs.
        """
        await self.until(lambda: self.cluster.pods and self._phase() == "Running")
        return self.pod()

    def _phase(self) -> str:
        return str(self.pod()["status"]["phase"])

    async def over(self, instance: IInstance) -> str:
        """
        @return: why an instance is gone, once it is and nothing is left of it.
        """
        gone: Gone = await instance.gone
        await self.until(lambda: not self.cluster.kubelet.running)
        self.assertEqual(self.cluster.pods, [])
        return gone.reason
