"""
C{kubernetes:} passes the tests that every spawner has to pass, on a cluster whose
Pods are processes of this machine.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from twisted.trial.unittest import TestCase

from brxy.interfaces import SpawnOrder
from brxy.spawners.kubernetes import spawner as kubernetes
from brxy.spawners.kubernetes.pod import EDGE, TICKET
from brxy.spawners.testing import SpawnerTests
from brxy.spawners.testing import app as testapp
from brxy.spawners.testing.tools import EdgeProcess
from brxy.test.support.kubernetes.cluster import Cluster
from brxy.test.support.processes.programs import PYTHON

__all__ = ["FrontedTests", "NodeTests"]

# Runs an app that no SIGTERM ends.
_STUBBORN = """
import runpy, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal = lambda *ignored: None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


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
        return pod["metadata"]["labels"][EDGE] == self.label

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
        return self._spec(self.appCommand())

    def _spec(self, command: str, more: str = "stop-timeout=5") -> str:
        options = f"template={self.path} port=8000 kubeconfig={self.kubeconfig}"
        return f"kubernetes: {options} {more} -- {command}"

    async def test_deleted(self) -> None:
        """
        A Pod that another program deletes gets nothing new, and may finish what
        it does.
        """
        command = shlex.join([PYTHON, "-c", _STUBBORN, testapp.__file__])
        edge = await self.startEdge(spec=self._spec(command, "capacity=10 stop-timeout=1"))
        holding = await self.begin(edge, "/hold")
        before = await self.answered(edge, holding)
        [pod] = self.cluster.pods
        self.cluster.kubelet.delete(pod, 20)
        await self.until(lambda: ": retiring" in edge.log, "it is not retired")
        self.assertNotEqual((await self.ask(edge))["instance"], before.about["instance"])
        self.assertIn(pod, self.cluster.pods)
        holding.hangUp()
        self.cluster.kubelet.kill(pod)
        await self.until(lambda: pod not in self.cluster.pods, "it is still there")
        await self.stopEdge(edge)


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
