"""
The part of the admin API that shows what instances have printed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from brxy.edge.admin.messages import Answer, Request, Sink, asJSON
from brxy.edge.admin.printed.collecting import Collector
from brxy.edge.admin.printed.tails import LINES, Line, Tails
from brxy.edge.admin.queries import checkQuery, choice, hostOf
from brxy.edge.admin.table import Endpoint
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.errors import BadRequest

__all__ = ["LineStream", "Printing"]

# Seconds between two signs of life in a stream.
BEAT = 15.0

# Lines that are written at once.
_BATCH = 100


class Printing:
    """
    The handlers.
    """

    def __init__(self, reactor: Any, tails: Tails) -> None:
        self._reactor = reactor
        self._tails = tails

    @classmethod
    def of(cls, reactor: Any, events: Events, settings: EdgeSettings) -> Printing:
        """
        Those of an edge.  Without a port where lines can be asked for, none are kept.
        """
        tails = Tails()
        if settings.admin or settings.private_admin:
            events.add(Collector(tails).happened)
        return cls(reactor, tails)

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [Endpoint("GET", "/v1/routes/{host}/logs", self.lines)]

    def lines(self, request: Request) -> Answer:
        """
        The lines that are kept, and with C{follow} those that come.
        """
        checkQuery(request, ("ticket", "lines", "follow"))
        host, ticket = hostOf(request), request.query.get("ticket", "")
        count = _count(request.query.get("lines", str(LINES)))
        kept = self._tails.after(0, host, ticket)
        kept = kept[max(0, len(kept) - count) :]
        if choice(request, "follow", ("true", "false")) == "true":
            return LineStream(self._reactor, self._tails, host, ticket, kept)
        return asJSON({"lines": [_view(each) for each in kept]})


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise BadRequest(400, "lines is a number, 0 or more")
    return int(text)


def _view(line: Line) -> dict[str, Any]:
    return {"time": round(line.time, 3), "ticket": line.ticket, "line": line.text}


class LineStream:
    """
    Lines for one client, as server-sent events.  A client that does not keep up loses those
    that are no longer kept.
    """

    content_type = "text/event-stream"

    def __init__(
        self, reactor: Any, tails: Tails, route: str, ticket: str, first: Sequence[Line]
    ) -> None:
        """
        @param first: the lines that it begins with.
        """
        self._reactor = reactor
        self._tails = tails
        self._about = route, ticket
        self._first = list(first)
        self._position = tails.last
        self._sink: Sink | None = None
        self._turn: Any = None
        self._beat: Any = None

    def start(self, sink: Sink) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        self._sink = sink
        self._tails.follow(self._printed)
        self._beat = self._reactor.callLater(BEAT, self._live)
        self._send()

    def resume(self) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        self._send()

    def stop(self) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        self._sink = None
        self._tails.unfollow(self._printed)
        for call in (self._turn, self._beat):
            if call is not None and call.active():
                call.cancel()

    def _printed(self) -> None:
        # All lines of one turn are sent at once.
        if self._turn is None:
            self._turn = self._reactor.callLater(0, self._send)

    def _live(self) -> None:
        self._beat = self._reactor.callLater(BEAT, self._live)
        if self._sink is not None and not self._sink.congested:
            self._sink.write(b":\n\n")

    def _send(self) -> None:
        self._turn = None
        while self._sink is not None and not self._sink.congested:
            if not self._first:
                self._first = list(self._tails.after(self._position, *self._about))
            if not self._first:
                self._position = self._tails.last
                return
            lines, self._first = self._first[:_BATCH], self._first[_BATCH:]
            self._position = max(self._position, lines[-1].number)
            self._sink.write("".join(map(_data, lines)).encode())


def _data(line: Line) -> str:
    # JSON on one line has no line end in it.
    return f"data: {json.dumps(_view(line), separators=(',', ':'))}\n\n"
