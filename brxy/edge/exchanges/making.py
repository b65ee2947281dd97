"""
Makes the carriers of requests for whose routes the settings say how they are handled.
"""

from __future__ import annotations

from typing import Any

from brxy.edge.exchanges.ends import Dispatcher, HTTPClientEnd
from brxy.edge.exchanges.gzip import GzipHTTP
from brxy.edge.exchanges.handled import HandledHTTP, RecordedHandledHTTP
from brxy.edge.exchanges.traced import traced
from brxy.edge.routing.handling import Handling
from brxy.http.messages import RequestHead

__all__ = ["makeHandled"]


def makeHandled(
    handling: Handling,
    recorded: bool,
    client: HTTPClientEnd,
    dispatcher: Dispatcher,
    route: str,
    head: RequestHead,
    request_id: bytes,
) -> HandledHTTP:
    """
    Make the carrier of a request.

    @param recorded: its exchange is recorded.
    """
    make: Any = RecordedHandledHTTP if recorded else HandledHTTP
    if handling.settings.gzip:
        make = GzipHTTP
    if dispatcher.records.tracer:
        make = traced(make)
    carrier: HandledHTTP = make(client, dispatcher, route, head, request_id)
    carrier.handle(handling)
    return carrier
