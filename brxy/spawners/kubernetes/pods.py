"""
The Pods of one namespace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brxy.spawners.api.errors import DaemonError, Refused, Unreachable
from brxy.spawners.kubernetes.api import KubeAPI
from brxy.values.causes import LINES, cause
from brxy.values.text import oneLine

__all__ = ["KubePods"]

# Seconds beyond the length of a watch until a connection that was cut unnoticed is given
# up.
_GRACE = 15.0

# How much is read of an app's last line, in bytes.
_MAX_LOG = 64 * 1024

_NOT_FOUND, _CONFLICT = 404, 409


class KubePods:
    """
    Requests about the Pods of one namespace.

    @ivar namespace: the name of the namespace.
    @param watch_timeout: seconds after which the API ends a watch.
    """

    def __init__(self, api: KubeAPI, namespace: str, watch_timeout: int) -> None:
        self.namespace = namespace
        self._api = api
        self._watch_timeout = watch_timeout
        self._path = f"/api/v1/namespaces/{namespace}/pods"

    async def create(self, pod: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Create a Pod.

        @return: the Pod as the API made it, with its name.
        @raise DaemonError: it can't be created.
        """
        return _isPod(await self._api.request("POST", self._path, pod))

    async def list(self, selector: str) -> tuple[list[Mapping[str, Any]], str]:
        """
        List Pods.

        @param selector: the labels that they have.
        @return: all such Pods, and the version from which to watch them.
        @raise DaemonError: they can't be listed.
        """
        answer = await self._api.request("GET", self._path, labelSelector=selector)
        try:
            items = [_isPod(each) for each in answer.get("items") or ()]
            return items, str(answer["metadata"]["resourceVersion"])
        except (KeyError, TypeError, AttributeError):
            raise Unreachable("the API did not answer with a list of Pods") from None

    async def watch(
        self, selector: str, version: str, receive: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """
        Receive the events of Pods until the API ends the watch.

        @param version: the version after which events are sent.
        @param receive: called with each event.
        @raise DaemonError: the watch broke, or C{receive} raised the error.
        """
        await self._api.watch(
            self._path,
            receive,
            self._watch_timeout + _GRACE,
            watch="true",
            labelSelector=selector,
            resourceVersion=version,
            allowWatchBookmarks="true",
            timeoutSeconds=self._watch_timeout,
        )

    async def delete(self, name: str, uid: str, grace: int) -> bool:
        """
        Delete a Pod.

        @param grace: seconds for its processes to end; 0: the API forgets it at once.
        @return: whether the Pod still exists.
        @raise DaemonError: it can't be deleted.
        """
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": grace,
            # There may be another Pod of the same name by now.
            "preconditions": {"uid": uid},
        }
        try:
            await self._api.request("DELETE", f"{self._path}/{name}", options)
        except Refused as error:
            if error.status in (_NOT_FOUND, _CONFLICT):
                return False
            raise
        return True

    async def lastLine(self, name: str, container: str) -> str:
        """
        @return: the last line that a container printed that says why it failed; C{""} if it
            can't be read.
        """
        try:
            data = await self._api.read(
                "GET",
                f"{self._path}/{name}/log",
                container=container,
                tailLines=LINES,
                limitBytes=_MAX_LOG,
            )
        except DaemonError:
            # The line only explains the end of the app.
            return ""
        return oneLine(cause(data.decode("utf-8", "replace").splitlines()))


def _isPod(answer: Any) -> Mapping[str, Any]:
    """
    Check that an answer has the parts of a Pod that are used.
    """
    try:
        metadata = answer["metadata"]
        texts = (metadata["name"], metadata["uid"])
        named = [each["name"] for each in answer["spec"]["containers"]]
        if named and all(isinstance(each, str) for each in (*texts, *named)):
            return answer  # type: ignore[no-any-return]
    except (KeyError, TypeError):
        pass
    raise Unreachable("the API did not answer with a Pod")
