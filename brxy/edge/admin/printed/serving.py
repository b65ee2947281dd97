"""
The part of the admin API that shows what instances have printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brxy.edge.admin.following import LiveStream, dataField
from brxy.edge.admin.messages import Answer, Request, asJSON
from brxy.edge.admin.printed.collecting import Collector
from brxy.edge.admin.printed.tails import LINES, Line, Tails
from brxy.edge.admin.queries import checkQuery, choice, hostOf
from brxy.edge.admin.table import Endpoint
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.errors import BadRequest

__all__ = ["LineStream", "Printing"]

# Lines that are written at once.
_BATCH = 100


class Printing:
    """
    The handlers.

    @ivar tails: what instances have printed.
    """

    def __init__(self, reactor: Any, tails: Tails) -> None:
        self._reactor = reactor
        self.tails = tails

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
        kept = self.tails.after(0, host, ticket)
        kept = kept[max(0, len(kept) - count) :]
        if choice(request, "follow", ("true", "false")) == "true":
            return LineStream(self._reactor, self.tails, host, ticket, kept)
        return asJSON({"lines": [_view(each) for each in kept]})


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise BadRequest(400, "lines is a number, 0 or more")
    return int(text)


def _view(line: Line) -> dict[str, Any]:
    return {"time": round(line.time, 3), "ticket": line.ticket, "line": line.text}


class LineStream(LiveStream):
    """
    Lines for one client.  A client that does not keep up loses those that are no longer kept.
    """

    def __init__(
        self, reactor: Any, tails: Tails, route: str, ticket: str, first: Sequence[Line]
    ) -> None:
        """
        @param first: the lines that it begins with.
        """
        super().__init__(reactor, tails)
        self._tails = tails
        self._about = route, ticket
        self._first = list(first)
        self._position = tails.last

    def batch(self) -> str | None:
        """
        See L{LiveStream}.
        """
        if not self._first:
            self._first = list(self._tails.after(self._position, *self._about))
        if not self._first:
            self._position = self._tails.last
            return None
        lines, self._first = self._first[:_BATCH], self._first[_BATCH:]
        self._position = max(self._position, lines[-1].number)
        return "".join(dataField(_view(each)) for each in lines)
