"""
The part of the admin API that changes routes and instances.

Each handler answers when what it was asked for is done, with what there is then; with
C{wait=false} it answers when that has begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from brxy.broker.gates import PAUSED, STOPPED, Gate
from brxy.edge.admin.journal import Journal
from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkBody, checkQuery, choice, given, messageOf
from brxy.edge.admin.showing import Showing, Subject
from brxy.edge.admin.table import Endpoint
from brxy.edge.events import Paused, Resumed, RollFailed, Stopped, Woken
from brxy.errors import BadRequest
from brxy.scaler.instance import Instance, State
from brxy.values.converters import atLeastOne, positive

__all__ = ["Changing"]

# Seconds between two looks whether something is done.
PAUSE = 0.05

# How long each waits by default, in seconds.
_TIMEOUT = 60.0
_MAX_PAUSE = 30.0
_WAKE_FOR = 300.0


class Changing:
    """
    The handlers.
    """

    def __init__(self, reactor: Any, subject: Subject, showing: Showing, journal: Journal) -> None:
        """
        @param showing: shows what there is in the end.
        """
        self._reactor = reactor
        self._subject = subject
        self._showing = showing
        self._journal = journal
        self._emit = subject.events.emit
        self._pauses: dict[str, IDelayedCall] = {}

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("POST", "/v1/routes/{host}/wake", self.wake),
            Endpoint("POST", "/v1/routes/{host}/roll", self.roll),
            Endpoint("POST", "/v1/routes/{host}/drain", self.drain),
            Endpoint("POST", "/v1/routes/{host}/pause", self.pause),
            Endpoint("POST", "/v1/routes/{host}/resume", self.resume),
            Endpoint("POST", "/v1/routes/{host}/stop", self.stop),
            Endpoint("POST", "/v1/instances/{ticket}/retire", self.retire),
            Endpoint("POST", "/v1/instances/{ticket}/kill", self.kill),
        ]

    def leave(self) -> None:
        """
        Leave no timer behind.
        """
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()

    # Routes

    async def wake(self, request: Request) -> Response:
        """
        Have at least some instances of a route ready, and keep as many for a while.
        """
        host, waits = self._begin(request, "min", "for", "timeout")
        number = given(request, "min", atLeastOne, 1)
        seconds = given(request, "for", positive, _WAKE_FOR)
        timeout = given(request, "timeout", positive, _TIMEOUT)
        most = self._subject.scaler.snapshots.maximum(host)
        if number > most:
            raise BadRequest(409, f"{host} may have at most {most} instances")
        self._emit(Woken(host, number, seconds))
        scaler, now = self._subject.scaler, self._reactor.seconds()
        scaler.floors.set(host, number, now + seconds)
        self._subject.scaling.perform(scaler.demand(host, now))
        if waits and not await self._until(lambda: self._ready(host) >= number, timeout, host):
            return await self._unfinished(
                host, self._failure(host) or "they are not ready in time"
            )
        return await self._done(host)

    async def roll(self, request: Request) -> Response:
        """
        Replace the instances of a route by newer ones.
        """
        host, waits = self._begin(request, "timeout")
        timeout = given(request, "timeout", positive, 10 * _TIMEOUT)
        before = self._journal.last
        self._subject.dispatch.roll(host)
        if waits:
            over = await self._until(lambda: not self._isRolling(host), timeout)
            reasons = [
                each.event.reason
                for each in self._journal.after(before)
                if isinstance(each.event, RollFailed) and each.event.route == host
            ]
            if reasons or not over:
                return await self._unfinished(host, reasons[-1] if reasons else "it takes longer")
        return await self._done(host)

    async def drain(self, request: Request) -> Response:
        """
        End all instances of a route, each when it has finished its exchanges.
        """
        host, waits = self._begin(request, "timeout")
        timeout = given(request, "timeout", positive, _TIMEOUT)
        self._subject.scaler.floors.set(host, 0, 0.0)
        leaving = self._instances(host)
        for each in leaving:
            self._subject.scaling.withdrawn(each)
        if waits and not await self._until(lambda: all(map(_isGone, leaving)), timeout):
            return await self._unfinished(host, "exchanges still run")
        return await self._done(host)

    async def pause(self, request: Request) -> Response:
        """
        Hold the clients of a route, and let the exchanges that run finish.
        """
        host, waits = self._begin(request, "max")
        seconds = given(request, "max", positive, _MAX_PAUSE)
        self._close(host, Gate(PAUSED))
        self._emit(Paused(host, seconds))
        self._pauses[host] = pause = self._reactor.callLater(seconds, self._pauseOver, host)
        if waits:
            await self._until(lambda: not pause.active() or self._isQuiet(host), seconds)
            if not pause.active():
                return await self._unfinished(
                    host, "exchanges still ran, and the route is resumed"
                )
        return await self._done(host)

    async def stop(self, request: Request) -> Response:
        """
        Refuse the clients of a route until it is resumed, and let the exchanges that run
        finish.
        """
        host, waits = self._begin(request, "message", "timeout")
        timeout = given(request, "timeout", positive, _TIMEOUT)
        message = messageOf(request)
        self._subject.scaler.floors.set(host, 0, 0.0)
        self._close(host, Gate(STOPPED, message))
        self._emit(Stopped(host, message))
        if waits and not await self._until(lambda: self._isQuiet(host), timeout):
            return await self._unfinished(host, "exchanges still run")
        return await self._done(host)

    async def resume(self, request: Request) -> Response:
        """
        Serve the clients of a route again that was paused or stopped.
        """
        host, _ = self._begin(request)
        self._resume(host)
        return await self._done(host)

    def _pauseOver(self, host: str) -> None:
        del self._pauses[host]
        self._resume(host)

    def _resume(self, host: str) -> None:
        self._endPause(host)
        if self._subject.dispatch.open(host, self._instances(host)):
            self._emit(Resumed(host))

    def _close(self, host: str, gate: Gate) -> None:
        self._endPause(host)
        self._subject.dispatch.close(host, gate, self._instances(host))

    def _endPause(self, host: str) -> None:
        pause = self._pauses.pop(host, None)
        if pause is not None:
            pause.cancel()

    # Instances

    async def retire(self, request: Request) -> Response:
        """
        End an instance when it has finished its exchanges.
        """
        instance, waits = self._beginInstance(request, "timeout")
        timeout = given(request, "timeout", positive, _TIMEOUT)
        self._subject.scaling.withdrawn(instance)
        if waits and not await self._until(lambda: _isGone(instance), timeout):
            return await self._unfinished(instance.route, "exchanges still run")
        return await self._done(instance.route)

    async def kill(self, request: Request) -> Response:
        """
        End an instance at once.
        """
        instance, waits = self._beginInstance(request, "timeout")
        timeout = given(request, "timeout", positive, _TIMEOUT)
        if not instance.watched:
            raise BadRequest(409, "this edge has not started that instance: retire it")
        self._subject.scaling.withdrawn(instance)
        self._subject.scaling.starter.stop(instance)
        if waits and not await self._until(lambda: _isGone(instance), timeout):
            return await self._unfinished(instance.route, "it has not ended yet")
        return await self._done(instance.route)

    # What they have in common

    def _begin(self, request: Request, *names: str) -> tuple[str, bool]:
        """
        @param names: what the body may have.
        @return: the route of a request, and whether its client waits.
        """
        waits = _waits(request)
        checkBody(request, names)
        return self._showing.known(request), waits

    def _beginInstance(self, request: Request, *names: str) -> tuple[Instance, bool]:
        waits = _waits(request)
        checkBody(request, names)
        instance = self._subject.scaler.snapshots.instance(request.parts["ticket"])
        if instance is None:
            raise BadRequest(404, "there is no instance with this ticket")
        return instance, waits

    def _instances(self, host: str) -> list[Instance]:
        return self._subject.scaler.instances(host)

    def _ready(self, host: str) -> int:
        return sum(each.state is State.READY for each in self._instances(host))

    def _isRolling(self, host: str) -> bool:
        found = self._subject.scaler.snapshots.route(host, self._reactor.seconds())
        return found is not None and found.rolling

    def _isQuiet(self, host: str) -> bool:
        return not any(each.offer.in_flight for each in self._instances(host))

    def _failure(self, host: str) -> str:
        """
        @return: why no instance of a route can be started now; C{""} if one can.
        """
        found = self._subject.scaler.snapshots.route(host, self._reactor.seconds())
        if found is None or any(each.state < State.DRAINING for each in found.instances):
            return ""
        if any(each.allowed != 0 for each in found.spawns):
            return ""
        return next((each.reason for each in found.spawns if each.reason), "no spawn is for it")

    async def _until(
        self, isDone: Callable[[], bool], timeout: float, waking: str | None = None
    ) -> bool:
        """
        Wait until something is done.

        @param waking: a route; the wait ends when no instance of it can be started.
        @return: whether it is done, in time.
        """
        until = self._reactor.seconds() + timeout
        while not isDone():
            if self._reactor.seconds() >= until or (waking and self._failure(waking)):
                return False
            await deferLater(self._reactor, PAUSE)
        return True

    async def _done(self, host: str) -> Response:
        return asJSON(await self._showing.one(host))

    async def _unfinished(self, host: str, reason: str) -> Response:
        """
        What was begun goes on, or has failed.
        """
        return asJSON({"error": reason, **await self._showing.one(host)}, 504)


def _waits(request: Request) -> bool:
    checkQuery(request, ("wait",))
    return choice(request, "wait", ("true", "false")) != "false"


def _isGone(instance: Instance) -> bool:
    return instance.state is State.GONE
