"""
The state of a Kubernetes cluster for tests: Pods with their versions, and
watches.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from attrs import define

__all__ = ["APIError", "Object", "PodStore", "Watcher", "now"]

Object = dict[str, Any]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KEY = re.compile(rf"({_NAME.pattern}/)?{_LABEL.pattern}")

# The API shortens a generateName so that five more characters fit.
_GENERATED_BASE = 58


def now() -> str:
    """
    @return: the time as the API writes it.
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class APIError(Exception):
    """
    An error response of the API.
    """

    def __init__(self, code: int, reason: str, message: str, retry_after: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after = retry_after
        self.status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }


@define(eq=False)
class Watcher:
    """
    A client that watches Pods.
    """

    matches: Callable[[Object], bool]
    send: Callable[[str, Object], None]


class PodStore:
    """
    All Pods of a cluster.

    @ivar pods: by namespace and name.
    @ivar oldest: events before this version are forgotten.
    """

    namespaces = {"default", "apps"}

    def __init__(self) -> None:
        self.version = 100
        self.oldest = 100
        self.pods: dict[tuple[str, str], Object] = {}
        self.watchers: set[Watcher] = set()
        self._events: list[tuple[int, str, Object]] = []

    def create(self, namespace: str, given: Object) -> Object:
        """
        @return: the Pod as it was stored.
        """
        if namespace not in self.namespaces:
            raise APIError(404, "NotFound", f'namespaces "{namespace}" not found')
        pod = deepcopy(given)
        metadata = pod["metadata"]
        if metadata.get("namespace", namespace) != namespace:
            raise APIError(
                400, "BadRequest", "the namespace of the provided object does not match"
            )
        if not metadata.get("name"):
            base = metadata.get("generateName", "")[:_GENERATED_BASE]
            metadata["name"] = base + uuid4().hex[:5]
        self._validate(pod)
        key = namespace, metadata["name"]
        if key in self.pods:
            raise APIError(409, "AlreadyExists", f'pods "{key[1]}" already exists')
        metadata.update(namespace=namespace, uid=str(uuid4()), creationTimestamp=now())
        pod["spec"].setdefault("terminationGracePeriodSeconds", 30)
        pod["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        self.pods[key] = pod
        self.changed(pod, "ADDED")
        return pod

    def _validate(self, pod: Object) -> None:
        metadata = pod["metadata"]
        wrong = []
        if not _NAME.fullmatch(metadata["name"]) or len(metadata["name"]) > 253:
            wrong.append(f"metadata.name: Invalid value: {metadata['name']!r}")
        for key, value in metadata.get("labels", {}).items():
            name = key.rpartition("/")[2]
            if not _KEY.fullmatch(key) or len(name) > 63:
                wrong.append(f"metadata.labels: Invalid value: {key!r}")
            if value and (len(value) > 63 or not _LABEL.fullmatch(value)):
                wrong.append(f"metadata.labels: Invalid value: {value!r}")
        for container in pod["spec"]["containers"]:
            if not container.get("image"):
                wrong.append("spec.containers[0].image: Required value")
            for each in container.get("env", ()):
                if not isinstance(each.get("value", ""), str) or not each.get("name"):
                    wrong.append("spec.containers[0].env: Invalid value")
        if wrong:
            text = f'Pod "{metadata["name"]}" is invalid: {", ".join(wrong)}'
            raise APIError(422, "Invalid", text)

    def get(self, namespace: str, name: str) -> Object:
        """
        @return: the Pod with this namespace and name.
        """
        try:
            return self.pods[namespace, name]
        except KeyError:
            raise APIError(404, "NotFound", f'pods "{name}" not found') from None

    def matching(self, matches: Callable[[Object], bool]) -> list[Object]:
        """
        @return: the Pods that match the selectors.
        """
        return [pod for pod in self.pods.values() if matches(pod)]

    def changed(self, pod: Object, kind: str = "MODIFIED") -> None:
        """
        Store a change of a Pod, and notify the watches.
        """
        self.version += 1
        pod["metadata"]["resourceVersion"] = str(self.version)
        event = self.version, kind, deepcopy(pod)
        self._events.append(event)
        for watcher in list(self.watchers):
            if watcher.matches(pod):
                watcher.send(kind, event[2])

    def remove(self, pod: Object) -> None:
        """
        Remove a Pod.
        """
        metadata = pod["metadata"]
        if self.pods.pop((metadata["namespace"], metadata["name"]), None) is not None:
            self.changed(pod, "DELETED")

    def watch(self, version: str, watcher: Watcher) -> None:
        """
        Send a watch all events since a version, and all that follow.
        """
        if version in ("", "0"):
            for pod in self.matching(watcher.matches):
                watcher.send("ADDED", pod)
        elif int(version) < self.oldest:
            text = f"too old resource version: {version} ({self.version})"
            raise APIError(410, "Expired", text)
        else:
            for at, kind, pod in self._events:
                if at > int(version) and watcher.matches(pod):
                    watcher.send(kind, pod)
        self.watchers.add(watcher)

    def forgetHistory(self) -> None:
        """
        Forget all events: a client that continues from an older version has to
        list again.
        """
        self.version += 1
        self.oldest = self.version
        self._events.clear()
