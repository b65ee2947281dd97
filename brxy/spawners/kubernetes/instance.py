"""
An instance that is a Pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from brxy.interfaces import Gone, ILeaving
from brxy.readiness import Question, siteName
from brxy.spawners.api.errors import DaemonError, Refused, Unreachable
from brxy.spawners.instance import BaseInstance
from brxy.spawners.kubernetes.options import PodTimes
from brxy.spawners.kubernetes.pod import ROUTE, TICKET
from brxy.spawners.kubernetes.pods import KubePods
from brxy.spawners.kubernetes.status import appAddress, endOf, hindranceOf, mainContainer, stageOf
from brxy.spawners.kubernetes.watch import PodWatch
from brxy.spawners.output import lackingLogger

__all__ = ["PodInstance"]

_TOO_MANY, _SERVER_ERROR = 429, 500

# How often a Pod is requested of an overloaded API, and the longest time (in seconds)
# that it may name until the next attempt.
_TRIES = 3
_LONGEST_WAIT = 10.0

# Seconds to find out whether the API made a Pod without answering.
_LOOK = 10.0


@implementer(ILeaving)
class PodInstance(BaseInstance):
    """
    One Pod.

    @ivar name: the name of the Pod; C{""}: not known yet.
    @ivar ticket: the label that the Pod has for its order.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, pods: KubePods, times: PodTimes, ticket: str, watch: PodWatch
    ) -> None:
        super().__init__()
        self.leaving: Deferred[None] = Deferred()
        self.name = ""
        self.ticket = ticket
        self._reactor = reactor
        self._pods = pods
        self._times = times
        self._watch = watch
        self._pod: Mapping[str, Any] = {}
        self._end: Deferred[str] = Deferred()
        self._stopped = False
        self._grace = 0.0
        self._vanished = False
        self._pausing: Deferred[None] | None = None
        self._unschedulable: IDelayedCall | None = None

    def begin(self, pod: Mapping[str, Any]) -> None:
        """
        Create the Pod.
        """
        self.live(self._live(pod))

    def adopt(self, pod: Mapping[str, Any]) -> None:
        """
        Take over a Pod that exists.
        """
        self._watch.expect(pod)
        self.changed(pod)
        self.live(self._live(None))

    def stop(self) -> None:
        """
        See L{brxy.interfaces.IInstance}.
        """
        self.stopWithin(self._times.stop_timeout)

    def stopWithin(self, seconds: float) -> None:
        """
        Stop the Pod within a time other than the configured one.
        """
        if not self._end.called:
            self._stopped = True
            self._decide("stopped", seconds)

    # Reports of the watch

    def changed(self, pod: Mapping[str, Any]) -> None:
        """
        The Pod was created, or has changed.
        """
        self._pod = pod
        self.name = pod["metadata"]["name"]
        if self._end.called:
            return
        reason = endOf(pod)
        if reason is not None:
            self._decide(reason, 0)
            return
        if pod["metadata"].get("deletionTimestamp") and self.ready.called:
            # Another program deletes it.  A node in it gets SIGTERM.
            if not self.leaving.called:
                self.leaving.callback(None)
            return
        self._hindered(pod)
        address = appAddress(pod, self._times.port) if self._times.port else None
        if address is not None and not self._end.called:
            route = (pod["metadata"].get("annotations") or {}).get(ROUTE, "")
            self.awaitReady(
                self._reactor,
                address,
                Question(self._times.ready_path, siteName(route)),
                lackingLogger(self._log, route, self.ticket),
            )

    def vanished(self, pod: Mapping[str, Any]) -> None:
        """
        The Pod was removed.

        @param pod: its last state.
        """
        self._pod = pod
        self._vanished = True
        if self._pausing is not None:
            self._pausing.cancel()
        if not self._end.called:
            self._decide(": ".join(filter(None, ["the Pod was deleted", endOf(pod)])), 0)

    def _hindered(self, pod: Mapping[str, Any]) -> None:
        hindrance = hindranceOf(pod)
        if hindrance is not None and hindrance.hopeless:
            self._decide(hindrance.reason, 0)
        elif hindrance is None:
            self._schedulable()
        elif self._unschedulable is None:
            # The cluster may be adding machines.
            self._unschedulable = self._reactor.callLater(
                self._times.unschedulable_timeout, self._decide, hindrance.reason, 0
            )

    def _schedulable(self) -> None:
        if self._unschedulable is not None and self._unschedulable.active():
            self._unschedulable.cancel()
        self._unschedulable = None

    def _decide(self, reason: str, grace: float) -> None:
        """
        The Pod has ended, or is to end.

        @param grace: seconds for its processes.
        """
        self._schedulable()
        self.stopWaiting()
        self._grace = grace
        self._end.callback(reason)
        if self._pausing is not None:
            self._pausing.cancel()

    # The life of the Pod

    async def _live(self, pod: Mapping[str, Any] | None) -> Gone:
        try:
            if pod is not None:
                await self._create(pod)
            return Gone(await self._untilGone())
        except DaemonError as error:
            return Gone(str(error))
        finally:
            if not self._end.called:
                self._decide("it could not be followed", 0)

    async def _untilGone(self) -> str:
        reason = await self._end
        stage = stageOf(self._pod) if self._pod else "Pending"
        if not self._stopped and not self._vanished:
            reason = await self._explained(reason)
        if self.name:
            await self._remove()
        if self._stopped:
            # How the app ended after SIGTERM.
            reason = (endOf(self._pod) if self._pod else None) or f"stopped while {stage}"
            reason = f"{self.lacking}; {reason}" if self.lacking else reason
        return reason

    async def _explained(self, reason: str) -> str:
        """
        Add the last line of the app where the reason has no explanation.
        """
        if endOf(self._pod) is None or ":" in reason or reason == "exit status 0":
            return reason
        line = await self._pods.lastLine(self.name, mainContainer(self._pod))
        return f"{reason}: {line}" if line else reason

    async def _create(self, pod: Mapping[str, Any]) -> None:
        for left in reversed(range(_TRIES)):
            if self._end.called:
                return
            try:
                self._made(await self._pods.create(pod))
            except Refused as error:
                wait = error.retry_after
                if (
                    error.status == _TOO_MANY
                    and left
                    and wait is not None
                    and wait <= _LONGEST_WAIT
                ):
                    await self._pause(wait)
                elif error.status < _SERVER_ERROR or not await self._wasMade():
                    raise
            except Unreachable as error:
                if not error.sent or not await self._wasMade():
                    raise
            if self.name:
                return

    def _made(self, pod: Mapping[str, Any]) -> None:
        # What the watch reported may be newer.
        if not self.name:
            self._watch.expect(pod)
            self.changed(pod)

    async def _wasMade(self) -> bool:
        """
        Find out whether the API made the Pod of a request without an answer.
        """
        end = self._reactor.seconds() + _LOOK
        while not self.name:
            await deferLater(self._reactor, self._times.api.soon)
            try:
                pods, _ = await self._pods.list(f"{TICKET}={self.ticket}")
            except DaemonError as error:
                if self._reactor.seconds() > end:
                    self._log.warn("a Pod of {id} may be left: {e}", id=self.ticket, e=str(error))
                    return False
            else:
                for pod in pods:
                    self._made(pod)
                break
        return bool(self.name)

    async def _remove(self) -> None:
        """
        Delete the Pod, and wait until it is gone.
        """
        began = self._reactor.seconds()
        uid, problem = self._pod["metadata"]["uid"], "it is still there"
        while not self._vanished:
            passed = self._reactor.seconds() - began
            left = max(0, ceil(self._grace - passed))
            if passed > self._grace + self._times.api.removal:
                self._log.warn("the Pod {name} may be left: {why}", name=self.name, why=problem)
                return
            try:
                if not await self._pods.delete(self.name, uid, left):
                    return
                if not self._vanished:
                    await self._pause(left + self._times.api.again)
            except DaemonError as error:
                problem = str(error)
                await self._pause(self._times.api.soon)

    async def _pause(self, seconds: float) -> None:
        """
        Wait until the watch reports something, but at most this long.
        """
        self._pausing = deferLater(self._reactor, seconds)
        try:
            await self._pausing
        except CancelledError:
            pass
        finally:
            self._pausing = None
