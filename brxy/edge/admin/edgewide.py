"""
The part of the admin API that changes the edge as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.task import deferLater

from brxy.edge.admin.messages import Request, Response, asJSON
from brxy.edge.admin.queries import checkBody, checkQuery, choice, given
from brxy.edge.admin.showing import Subject
from brxy.edge.admin.table import Endpoint
from brxy.edge.events import Draining, DrainingEnded, Events, ReloadFailed, Reloading
from brxy.errors import UsageError
from brxy.values.converters import positive

__all__ = ["EdgeWide", "reloadAll"]

# Seconds between two looks whether something is done.
PAUSE = 0.2

_TIMEOUT = 60.0


class EdgeWide:
    """
    The handlers.
    """

    def __init__(
        self, reactor: Any, subject: Subject, reload: Callable[[], Sequence[str]]
    ) -> None:
        """
        @param reload: reads again what may change while the edge runs; returns what could
            not be used.
        """
        self._reactor = reactor
        self._subject = subject
        self._reload = reload

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("POST", "/v1/reload", self.reload),
            Endpoint("POST", "/v1/edge/drain", self.drain),
            Endpoint("POST", "/v1/edge/resume", self.resume),
        ]

    def reload(self, request: Request) -> Response:
        """
        Read again what may change while the edge runs, as SIGHUP does.
        """
        checkQuery(request, ())
        checkBody(request, ())
        errors = list(self._reload())
        if errors:
            return asJSON({"error": errors[0], "errors": errors}, 409)
        return asJSON({"errors": []})

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


def reloadAll(reloads: Sequence[Callable[[], None]], events: Events) -> list[str]:
    """
    Read the files that may change while the edge runs.  What can't be used stays as it was.

    @param reloads: each raises L{UsageError} for a file that can't be used.
    @return: what can't be used.
    """
    events.emit(Reloading())
    errors = []
    for reload in reloads:
        try:
            reload()
        except UsageError as error:
            errors.append(str(error))
            events.emit(ReloadFailed(str(error)))
    return errors
