"""
C{kubernetes:} passes the tests that every spawner has to pass, on a cluster whose
Pods are processes of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from brxy.interfaces import SpawnOrder
from brxy.spawners import kubernetes
from brxy.spawners.kubemake import EDGE, TICKET
from brxy.spawners.testing import SpawnerTests
from brxy.spawners.testtools import EdgeProcess
from brxy.test.kubecluster import Cluster

__all__ = ["FrontedTests", "NodeTests"]


class _Tests(SpawnerTests):
    """
    Base of both ways an instance can serve.
    """

    factory = kubernetes.factory
    template: dict[str, object]

    def setUp(self) -> None:
        """
        Have a cluster.
        """
        super().setUp()
        self.cluster = Cluster(self.reactor)
        self.cluster.start()
        self.cluster.kubelet.mark = dict([self.mark.split("=")])
        self.kubeconfig = self.cluster.writeConfig(self.folder / "kubeconfig")
        self.path = self.folder / "pod.json"
        self.path.write_text(json.dumps(self.template))

    async def remove(self) -> None:
        """
        See L{SpawnerTests}.
        """
        await self.cluster.stop()
        await super().remove()

    async def left(self) -> Sequence[str]:
        """
        See L{SpawnerTests}.
        """
        pods = [pod["metadata"]["name"] for pod in self.cluster.pods if self._isMine(pod)]
        return [*pods, *(f"process {each.pid}" for each in self.cluster.kubelet.running)]

    def _isMine(self, pod: dict[str, dict[str, dict[str, str]]]) -> bool:
        return pod["metadata"]["labels"][EDGE] == self.edge_id

    async def kill(self, order: SpawnOrder) -> None:
        """
        See L{SpawnerTests}.
        """
        for pod in self.cluster.pods:
            if pod["metadata"]["labels"][TICKET] == order.ticket:
                self.cluster.kubelet.kill(pod)

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        image = "kubernetes: image=missing:1 edge=tcp:127.0.0.1:1"
        return f"{image} kubeconfig={self.kubeconfig} -- true"


class FrontedTests(_Tests, TestCase):
    """
    The edge fronts the Pod's own address.
    """

    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "containers": [
                {
                    "name": "app",
                    "image": "app:1",
                    "env": [
                        {
                            "name": "HOST",
                            "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}},
                        }
                    ],
                }
            ]
        },
    }

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        options = f"template={self.path} port=8000 kubeconfig={self.kubeconfig} stop-timeout=5"
        return f"kubernetes: {options} -- {self.appCommand()}"


class NodeTests(_Tests, TestCase):
    """
    A node in the Pod dials back.
    """

    template = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {"containers": [{"name": "brxy", "image": "node:1"}]},
    }

    def spec(self, port: str = "test") -> str:
        """
        See L{SpawnerTests}.

        @param port: which node port it is for.
        """
        where = f"edge={self.nodePort(port)}"
        options = f"template={self.path} {where} kubeconfig={self.kubeconfig} stop-timeout=5"
        return f"kubernetes: {options} -- {self.appCommand()}"

    async def startEdge(self, *arguments: str, spec: str = "") -> EdgeProcess:
        """
        See L{SpawnerTests}.
        """
        return await super().startEdge(*arguments, spec=spec or self.spec("nodes"))
