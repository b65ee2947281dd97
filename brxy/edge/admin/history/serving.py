"""
The part of the admin API that shows what has happened in the last ten minutes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import Any

from twisted.internet.task import deferLater

from brxy.edge.admin.following import LiveStream
from brxy.edge.admin.history.life import Life
from brxy.edge.admin.history.sampler import PERIOD, Sampler, Sources
from brxy.edge.admin.history.timeline import Timeline
from brxy.edge.admin.messages import Answer, Request, Response, asJSON
from brxy.edge.admin.queries import checkQuery, choice
from brxy.edge.admin.showing import Subject
from brxy.edge.admin.table import Endpoint
from brxy.errors import BadRequest
from brxy.values.routepattern import covers

__all__ = ["History", "SeriesStream"]

# Instances that are shown in one turn of the reactor.
_AT_ONCE = 100


class History:
    """
    The handlers, and what records.
    """

    def __init__(self, reactor: Any, subject: Subject, lastLine: Any) -> None:
        """
        @param lastLine: see L{Timeline}.
        """
        self._reactor = reactor
        self._subject = subject
        find = subject.scaler.snapshots.instance
        self._timeline = Timeline(reactor.seconds, find, lastLine)
        sources = Sources(subject.dispatch, subject.clients.count, self._timeline.instances)
        self._sampler = Sampler(reactor, sources)

    def begin(self) -> None:
        """
        Record from now on.
        """
        scaler = self._subject.scaler
        for route in scaler.snapshots.routes():
            self._timeline.begin(scaler.instances(route))
        self._subject.events.add(self._timeline)
        self._sampler.start()

    def leave(self) -> None:
        """
        Leave no timer behind.
        """
        self._sampler.stop()

    @property
    def denied(self) -> int:
        """
        How many clients were denied the start of an app.
        """
        return self._sampler.denied

    def starts(self, route: str) -> Sequence[Life]:
        """
        The last starts of a route, the latest first.
        """
        return self._timeline.starts(route)

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [
            Endpoint("GET", "/v1/series", self.series),
            Endpoint("GET", "/v1/timeline", self.lives),
        ]

    def series(self, request: Request) -> Answer:
        """
        The points that are kept, or with C{follow} also those that come.
        """
        checkQuery(request, ("since", "follow"))
        since = _moment(request)
        if choice(request, "follow", ("true", "false")) == "true":
            return SeriesStream(self._reactor, self._sampler, self._timeline, since)
        points = ",".join(each.text for each in self._sampler.after(since))
        text = f'{{"interval":{PERIOD},"points":[{points}]}}\n'
        return Response(text.encode(), "application/json")

    async def lives(self, request: Request) -> Response:
        """
        The instances of the last ten minutes.
        """
        checkQuery(request, ("host",))
        wanted = partial(covers, request.query.get("host", "").lower() or None)
        views = []
        chosen = [each for each in self._timeline.lives() if wanted(each.route)]
        for number, life in enumerate(sorted(chosen, key=lambda each: each.began), 1):
            views.append(life.view())
            if not number % _AT_ONCE:
                await deferLater(self._reactor, 0)
        return asJSON({"instances": views})


def _moment(request: Request) -> float:
    """
    @return: the time of the last point that the client has.
    """
    text = request.fields.get("last-event-id", "") or request.query.get("since", "")
    try:
        moment = float(text or "0")
    except ValueError:
        moment = float("nan")
    if not isfinite(moment):
        raise BadRequest(400, "since is a time in seconds since 1970")
    return moment


class SeriesStream(LiveStream):
    """
    Points for one client, as they come, each with the instances that have changed.
    """

    def __init__(self, reactor: Any, sampler: Sampler, timeline: Timeline, since: float) -> None:
        """
        @param since: the time of the last point that the client has.
        """
        super().__init__(reactor, sampler)
        self._sampler = sampler
        self._timeline = timeline
        self._since = since
        self._revision = timeline.revision

    def batch(self) -> str | None:
        """
        See L{LiveStream}.
        """
        points = self._sampler.after(self._since)
        if not points:
            return None
        changed = [each.view() for each in self._timeline.lives(self._revision)]
        self._since, self._revision = points[-1].time, self._timeline.revision
        *old, last = points
        texts = [_text(each.time, each.text, []) for each in old]
        return "".join([*texts, _text(last.time, last.text, changed)])


def _text(time: float, point: str, changed: list[Any]) -> str:
    lives = json.dumps(changed, separators=(",", ":"))
    return f'id: {time}\ndata: {{"point":{point},"instances":{lives}}}\n\n'
