"""
Watches Pods, across lost connections.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.spawners.api.errors import DaemonError, Refused, Unreachable
from brxy.spawners.api.outage import Outage
from brxy.spawners.kubernetes.pods import KubePods

__all__ = ["PodWatch"]

_GONE = 410

# Seconds; a watch that ends sooner without any event counts as a failure.
_SHORTEST = 1.0

_Report = Callable[[Mapping[str, Any]], None]


class PodWatch:
    """
    Lists the Pods with some labels and watches them from there on.  After an error it
    begins again, with longer pauses each time, up to half a minute.

    @param selector: the labels.
    @param changed: called with a Pod that is new or has changed, possibly twice.
    @param vanished: called with the last known state of a Pod that was removed.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, pods: KubePods, selector: str, changed: _Report, vanished: _Report
    ) -> None:
        self._reactor = reactor
        self._pods = pods
        self._selector = selector
        self._changed = changed
        self._vanished = vanished
        self._known: dict[str, Mapping[str, Any]] = {}
        self._version = ""
        self._expired = False
        warning = "Pods can't be watched for now: {error}"
        self._outage = Outage(self._log, warning, backoffPolicy(0.5, 30.0))
        self._running: Deferred[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """
        Start watching.  Does nothing when called again.
        """
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addErrback(self._ended)

    def stop(self) -> None:
        """
        Stop watching.
        """
        self._stopped = True
        if self._running is not None:
            self._running.cancel()

    def expect(self, pod: Mapping[str, Any]) -> None:
        """
        Take note of a Pod that may not have been reported yet: if the next list does not
        have it, it has vanished.
        """
        self._known.setdefault(pod["metadata"]["name"], pod)

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("watching Pods failed", failure)

    async def _run(self) -> None:
        # A request that is cancelled can fail with various errors.
        while not self._stopped:
            try:
                if not self._version:
                    await self._list()
                # A report may have had the effect that this was stopped.
                if not self._stopped:
                    await self._follow()
            except DaemonError as error:
                if isinstance(error, Refused) and error.status == _GONE:
                    self._version = ""
                    # One such answer is usual: the API keeps its history for a while only.
                    if not self._expired:
                        self._expired = True
                        continue
                if not self._stopped:
                    await deferLater(self._reactor, self._outage.failed(error))

    def _works(self) -> None:
        self._expired = False
        if self._outage.ended():
            self._log.info("Pods are watched again")

    async def _list(self) -> None:
        # A Pod that is created during the request may be missing in the answer.
        before = dict(self._known)
        items, version = await self._pods.list(self._selector)
        there = {pod["metadata"]["name"]: pod for pod in items}
        for name, pod in before.items():
            known = there.get(name)
            if known is None or known["metadata"]["uid"] != pod["metadata"]["uid"]:
                self._forget(pod)
        for pod in items:
            self._learn(pod)
        self._version = version

    async def _follow(self) -> None:
        began = self._reactor.seconds()
        version = self._version
        await self._pods.watch(self._selector, version, self._event)
        if version == self._version and self._reactor.seconds() - began < _SHORTEST:
            raise Unreachable("the API ended the watch at once")

    def _event(self, event: Mapping[str, Any]) -> None:
        try:
            kind, object_ = event["type"], event["object"]
            if kind == "ERROR":
                raise _eventError(object_)
            version = str(object_["metadata"]["resourceVersion"])
            if kind in ("ADDED", "MODIFIED"):
                self._learn(object_)
            elif kind == "DELETED":
                self._forget(object_)
        except (KeyError, TypeError, AttributeError):
            raise Unreachable("the watch sent something that is not an event") from None
        self._version = version
        self._works()

    def _learn(self, pod: Mapping[str, Any]) -> None:
        self._known[pod["metadata"]["name"]] = pod
        self._changed(pod)

    def _forget(self, pod: Mapping[str, Any]) -> None:
        self._known.pop(pod["metadata"]["name"], None)
        self._vanished(pod)


def _eventError(status: Mapping[str, Any]) -> Refused:
    code = status.get("code")
    number = code if isinstance(code, int) else 500
    return Refused(f"{number}: {status.get('reason')}: {status.get('message')}", number)
