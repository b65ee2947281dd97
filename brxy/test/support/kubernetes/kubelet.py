"""
A kubelet that runs the Pods of a cluster for tests, each container as a
process of this machine.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

import brxy
from brxy.errors import SpawnFailed
from brxy.processes.child import Child, Ended
from brxy.test.support.kubernetes.store import Object, PodStore, now

__all__ = ["IMAGES", "Kubelet"]

#: The available images, with the command before the arguments.
IMAGES = {
    "app:1": [],
    "node:1": ["twistd", "-n", "brxy-node", "--"],
}

_IMAGE_NAME = re.compile(r"[a-z0-9][a-z0-9._/-]*(:[\w.-]+)?")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


def expand(text: str, environment: Mapping[str, str]) -> str:
    """
    Expand C{$(NAME)} and C{$$} as Kubernetes does.
    """

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return environment.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


class Kubelet:
    """
    Runs the containers of a cluster's Pods.

    @ivar mark: C{NAME=value}s in the environment of all containers.
    @ivar slow: seconds that it takes to make a container.
    """

    _log = Logger()

    def __init__(self, reactor: Any, store: PodStore) -> None:
        self.mark: dict[str, str] = {}
        self.slow = 0.0
        self._reactor = reactor
        self._store = store
        self._starting: set[Deferred[None]] = set()
        self._children: dict[str, Child] = {}
        self._logs: dict[str, list[str]] = {}
        self._killed_as: dict[str, str] = {}
        self._addresses = iter(range(1, 255))

    @property
    def running(self) -> list[Child]:
        """
        The running processes.
        """
        return list(self._children.values())

    def log(self, uid: str) -> list[str]:
        """
        @return: the lines that a Pod has printed.
        """
        return self._logs.get(uid, [])

    def kill(self, pod: Object, reason: str = "Error") -> None:
        """
        Have the kernel kill a Pod's processes, for a reason such as
        C{OOMKilled}.
        """
        uid = pod["metadata"]["uid"]
        self._killed_as[uid] = reason
        self._children[uid].kill()

    async def stop(self) -> None:
        """
        End all processes.
        """
        for starting in list(self._starting):
            starting.cancel()
        for child in self.running:
            child.kill()
            await child.emptied

    def run(self, pod: Object) -> None:
        """
        Schedule a Pod and start it, as far as possible.
        """
        starting = Deferred.fromCoroutine(self._run(pod))
        self._starting.add(starting)
        starting.addErrback(lambda failure: failure.trap(CancelledError))
        starting.addErrback(lambda failure: self._log.failure("kubelet", failure))
        starting.addBoth(lambda _: self._starting.discard(starting))

    async def _run(self, pod: Object) -> None:
        spec, status = pod["spec"], pod["status"]
        await deferLater(self._reactor, 0)
        if spec.get("nodeSelector"):
            self._condition(
                pod, "PodScheduled", "False", "Unschedulable", "0/1 nodes are available"
            )
            self._store.changed(pod)
            return
        self._condition(pod, "PodScheduled", "True")
        spec["nodeName"] = "node-1"
        status["startTime"] = now()
        self._wait(pod, "ContainerCreating")
        await deferLater(self._reactor, self.slow)
        if self._alive(pod):
            await self._start(pod)

    def _alive(self, pod: Object) -> bool:
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        return self._store.pods.get(key) is pod and "deletionTimestamp" not in pod["metadata"]

    async def _start(self, pod: Object) -> None:
        container = pod["spec"]["containers"][0]
        image = container["image"]
        if not _IMAGE_NAME.fullmatch(image):
            self._wait(pod, "InvalidImageName", f'Failed to apply default image tag "{image}"')
        elif image not in IMAGES:
            self._wait(pod, "ErrImagePull", f'failed to pull "{image}": not found')
            await deferLater(self._reactor, 0.1)
            if self._alive(pod):
                self._wait(pod, "ImagePullBackOff", f'Back-off pulling image "{image}"')
        elif missing := [each for each in container.get("env", ()) if _isMissing(each)]:
            name = missing[0]["valueFrom"]["configMapKeyRef"]["name"]
            self._wait(pod, "CreateContainerConfigError", f'configmap "{name}" not found')
        else:
            self._launch(pod, container)

    def _launch(self, pod: Object, container: Object) -> None:
        # Tests run in parallel, each in a process with a kubelet of its own.
        network, number = os.getpid() & 0x3FFF, next(self._addresses)
        address = f"127.{64 + (network >> 8)}.{network & 255}.{number}"
        pod["status"].update(podIP=address, podIPs=[{"ip": address}], hostIP="127.0.0.1")
        environment = self._environment(pod, container)
        argv = [*container.get("command", IMAGES[container["image"]]), *container.get("args", ())]
        expanded = [expand(each, environment) for each in argv]
        log = self._logs.setdefault(pod["metadata"]["uid"], [])
        try:
            child = Child(
                self._reactor,
                expanded,
                environment,
                lambda descriptor, line: log.append(line.decode("utf-8", "replace")),
                die_with_parent=True,
            )
        except SpawnFailed as error:
            self._terminated(pod, 128, "StartError", str(error))
            return
        try:
            child.start()
        except SpawnFailed as error:
            self._terminated(pod, 128, "StartError", str(error))
            return
        self._children[pod["metadata"]["uid"]] = child
        child.ended.addCallback(self._ended, pod)
        pod["status"]["phase"] = "Running"
        self._condition(pod, "Ready", "True")
        self._state(pod, {"running": {"startedAt": now()}}, True)

    def _environment(self, pod: Object, container: Object) -> dict[str, str]:
        root = str(Path(brxy.__file__).parents[1])
        path = f"{os.path.dirname(sys.executable)}:{os.defpath}"
        environment = {"PATH": path, "PYTHONPATH": root, **self.mark}
        for each in container.get("env", ()):
            if "valueFrom" in each:
                field = each["valueFrom"]["fieldRef"]["fieldPath"].split(".")
                environment[each["name"]] = pod[field[0]][field[1]]
            else:
                environment[each["name"]] = expand(each.get("value", ""), environment)
        return environment

    def _ended(self, ended: Ended, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        del self._children[uid]
        code = ended.status if ended.status is not None else 128 + (ended.signal or 0)
        reason = self._killed_as.pop(uid, "Completed" if code == 0 else "Error")
        self._terminated(pod, code, reason)

    def _terminated(self, pod: Object, code: int, reason: str, message: str = "") -> None:
        pod["status"]["phase"] = "Failed" if code else "Succeeded"
        self._condition(pod, "Ready", "False")
        state: Object = {"exitCode": code, "reason": reason, "finishedAt": now()}
        if message:
            state["message"] = message
        key = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if self._store.pods.get(key) is not pod:
            return
        self._state(pod, {"terminated": state}, False)
        if "deletionTimestamp" in pod["metadata"]:
            self._store.remove(pod)

    def delete(self, pod: Object, grace: int) -> None:
        """
        Terminate a Pod.
        """
        child = self._children.get(pod["metadata"]["uid"])
        metadata = pod["metadata"]
        if child is None or grace == 0:
            self._store.remove(pod)
            if child is not None:
                child.stop(0.5)
            return
        child.stop(grace)
        metadata.update(deletionTimestamp=now(), deletionGracePeriodSeconds=grace)
        self._store.changed(pod)

    # Statuses

    def _wait(self, pod: Object, reason: str, message: str = "") -> None:
        waiting = {"reason": reason, **({"message": message} if message else {})}
        self._state(pod, {"waiting": waiting}, False)

    def _state(self, pod: Object, state: Object, ready: bool) -> None:
        container = pod["spec"]["containers"][0]
        pod["status"]["containerStatuses"] = [
            {
                "name": container["name"],
                "image": container["image"],
                "imageID": "",
                "restartCount": 0,
                "ready": ready,
                "state": state,
            }
        ]
        self._store.changed(pod)

    def _condition(
        self, pod: Object, kind: str, status: str, reason: str = "", message: str = ""
    ) -> None:
        conditions = pod["status"].setdefault("conditions", [])
        conditions[:] = [each for each in conditions if each["type"] != kind]
        more = {"reason": reason, "message": message} if reason else {}
        conditions.append({"type": kind, "status": status, **more})


def _isMissing(variable: Object) -> bool:
    return "configMapKeyRef" in variable.get("valueFrom", {})
