"""
The part of the admin API that changes the edge as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import deferLater

from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkBody, checkQuery, choice, given
from brxy.edge.admin.showing import Subject
from brxy.edge.admin.table import Endpoint
from brxy.edge.events import Draining, DrainingEnded
from brxy.edge.upgrade.upgrader import UpgradeFailed, Upgrader
from brxy.values.converters import positive

__all__ = ["EdgeWide"]

# Seconds between two looks whether something is done.
PAUSE = 0.2

_TIMEOUT = 60.0


class EdgeWide:
    """
    The handlers.
    """

    def __init__(self, reactor: Any, subject: Subject, upgrader: Upgrader) -> None:
        self._upgrader = upgrader
        self._reactor = reactor
        self._subject = subject

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("POST", "/v1/reload", self.reload),
            Endpoint("POST", "/v1/edge/drain", self.drain),
            Endpoint("POST", "/v1/edge/resume", self.resume),
            Endpoint("POST", "/v1/edge/upgrade", self.upgrade),
        ]

    async def reload(self, request: Request) -> Response:
        """
        Read again what may change while the edge runs, as SIGHUP does.
        """
        checkQuery(request, ())
        checkBody(request, ())
        outcome = await self._subject.reloader.reload()
        if outcome.problems:
            return asJSON({"error": outcome.problems[0], **outcome.plain()}, 409)
        return asJSON(outcome.plain())

    async def drain(self, request: Request) -> Response:
        """
        Prepare for the end: C{/readyz} fails from now on, so that load balancers choose
        another edge, and clients that are served do not keep their connections.  It is done
        when no exchange runs and none is held.
        """
        checkQuery(request, ("wait",))
        checkBody(request, ("timeout",))
        waits = choice(request, "wait", ("true", "false")) != "false"
        until = self._reactor.seconds() + given(request, "timeout", positive, _TIMEOUT)
        self._subject.dispatch.leave()
        self._subject.events.emit(Draining())
        while waits and self._countExchanges():
            if self._reactor.seconds() >= until:
                return asJSON({"error": "exchanges still run", **self._state()}, 504)
            await deferLater(self._reactor, PAUSE)
        return asJSON(self._state())

    def resume(self, request: Request) -> Response:
        """
        Take clients again after a drain.
        """
        checkQuery(request, ())
        checkBody(request, ())
        self._subject.dispatch.leaving = False
        self._subject.events.emit(DrainingEnded())
        return asJSON(self._state())

    async def upgrade(self, request: Request) -> Response:
        """
        Have what is installed now take the place of this edge.
        """
        checkQuery(request, ())
        checkBody(request, ())
        try:
            return asJSON(await self._upgrader.upgrade())
        except UpgradeFailed as error:
            return asJSON({"error": str(error)}, 409)

    def _state(self) -> dict[str, Any]:
        leaving = self._subject.dispatch.leaving
        return {
            "state": "draining" if leaving else "ready",
            "clients": self._subject.clients.count(),
            "exchanges": self._countExchanges(),
        }

    def _countExchanges(self) -> int:
        """
        @return: how many exchanges run, or are held.
        """
        scaler, done = self._subject.scaler, self._subject.dispatch.snapshot()
        running = sum(
            each.offer.in_flight
            for route in scaler.snapshots.routes()
            for each in scaler.instances(route)
        )
        return running + done.collecting + sum(done.held.values())
