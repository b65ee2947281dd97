"""
The events of an edge as the admin API sends them: as JSON, or live as server-sent events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from brxy.edge.admin.journal import Entry, Journal
from brxy.edge.admin.messages import Answer, Request, Sink, asJSON
from brxy.edge.admin.queries import checkQuery, choice
from brxy.edge.admin.table import Endpoint
from brxy.errors import BadRequest
from brxy.values.routepattern import covers

__all__ = ["BEAT", "EventStream", "Following", "LiveStream", "Source", "dataField"]

# Seconds between two signs of life in a stream.
BEAT = 15.0

# Events that are written at once.
_BATCH = 50

# The milliseconds after which a client that was cut connects again.
_RETRY = 2000


class Following:
    """
    The handlers.
    """

    def __init__(self, reactor: Any, journal: Journal) -> None:
        self._reactor = reactor
        self._journal = journal

    def endpoints(self) -> Sequence[Endpoint]:
        """
        What answers which request.
        """
        return [Endpoint("GET", "/v1/events", self.events)]

    def events(self, request: Request) -> Answer:
        """
        The events that are kept, and with C{follow} those that come.
        """
        checkQuery(request, ("host", "after", "follow"))
        wanted = partial(covers, request.query.get("host", "").lower() or None)
        after = self._after(request)
        if choice(request, "follow", ("true", "false")) != "false":
            return EventStream(self._reactor, self._journal, after, wanted)
        entries = self._journal.after(after)
        return asJSON(
            {
                "events": [_view(self._journal, e) for e in entries if e.isAbout(wanted)],
                "last": _id(self._journal, self._journal.last),
            }
        )

    def _after(self, request: Request) -> int:
        """
        @return: the number of the last event that the client has.
        """
        text = request.fields.get("last-event-id", "") or request.query.get("after", "")
        if not text:
            return 0
        run, dash, number = text.partition("-")
        if not (dash and number.isascii() and number.isdigit()):
            raise BadRequest(400, "that is no id of an event")
        # Of another run of the edge, the client has none of these.
        known = run == self._journal.run
        return min(int(number[:18]), self._journal.last) if known else 0


def _id(journal: Journal, number: int) -> str:
    return f"{journal.run}-{number}"


def _view(journal: Journal, entry: Entry) -> dict[str, Any]:
    return {"id": _id(journal, entry.number), **entry.view()}


class Source(Protocol):
    """
    What gets something new now and then.
    """

    def follow(self, call: Callable[[], None]) -> None:
        """
        Call this whenever there is something new.
        """

    def unfollow(self, call: Callable[[], None]) -> None:
        """
        Call it no more.
        """


class LiveStream:
    """
    Server-sent events for one client, as they come.
    """

    content_type = "text/event-stream"

    def __init__(self, reactor: Any, source: Source) -> None:
        self._reactor = reactor
        self._source = source
        self._sink: Sink | None = None
        self._turn: Any = None
        self._beat: Any = None

    def batch(self) -> str | None:
        """
        What is to be written next; L{None} if there is nothing new.
        """
        raise NotImplementedError

    def start(self, sink: Sink) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        self._sink = sink
        self._source.follow(self._happened)
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
        self._source.unfollow(self._happened)
        for call in (self._turn, self._beat):
            if call is not None and call.active():
                call.cancel()

    def _happened(self) -> None:
        # All that comes in one turn is sent at once.
        if self._turn is None:
            self._turn = self._reactor.callLater(0, self._send)

    def _live(self) -> None:
        self._beat = self._reactor.callLater(BEAT, self._live)
        if self._sink is not None and not self._sink.congested:
            self._sink.write(b":\n\n")

    def _send(self) -> None:
        self._turn = None
        while self._sink is not None and not self._sink.congested:
            text = self.batch()
            if text is None:
                return
            if text:
                self._sink.write(text.encode())


class EventStream(LiveStream):
    """
    Events for one client.  A client that does not keep up loses those that are no longer
    kept; it is sent how many.
    """

    def __init__(
        self, reactor: Any, journal: Journal, after: int, wanted: Callable[[str], bool]
    ) -> None:
        """
        @param after: the number of the last event that the client has.
        @param wanted: whether the client wants the events of a route.
        """
        super().__init__(reactor, journal)
        self._journal = journal
        self._position = after
        self._wanted = wanted

    def start(self, sink: Sink) -> None:
        """
        See L{brxy.edge.admin.messages.Stream}.
        """
        sink.write(b"retry: %d\n\n" % _RETRY)
        # Of events before the first that is kept, a new client has lost none.
        if not self._position:
            kept = self._journal.after(0)
            self._position = kept[0].number - 1 if kept else 0
        super().start(sink)

    def batch(self) -> str | None:
        """
        See L{LiveStream}.
        """
        entries = self._journal.after(self._position)[:_BATCH]
        if not entries:
            return None
        missed = entries[0].number - self._position - 1
        self._position = entries[-1].number
        texts = [self._text(each) for each in entries if each.isAbout(self._wanted)]
        if missed:
            texts.insert(0, dataField({"event": "missed", "count": missed}))
        return "".join(texts)

    def _text(self, entry: Entry) -> str:
        return f"id: {_id(self._journal, entry.number)}\n{dataField(_view(self._journal, entry))}"


def dataField(value: Mapping[str, Any]) -> str:
    """
    A server-sent event with a value as its data.
    """
    # JSON on one line has no line end in it.
    return f"data: {json.dumps(value, separators=(',', ':'))}\n\n"
