"""
The answers by which the edge refuses a request, or gives up on an exchange.
"""

from __future__ import annotations

from attrs import evolve, frozen

__all__ = [
    "APP_NOT_STARTED",
    "APP_SILENT",
    "BAD_RESPONSE",
    "BODY_TOO_LARGE",
    "BODY_TOO_SLOW",
    "HELD_TOO_LONG",
    "LEAVING",
    "LOST",
    "NO_SUCH_APP",
    "REQUEST_TOO_SLOW",
    "ROUTE_STOPPED",
    "TOO_MANY_HELD",
    "TOO_MANY_HELD_FOR_ADDRESS",
    "TOO_MANY_ROUTES",
    "TOO_MANY_WOKEN",
    "Refusal",
    "stopped",
]


@frozen
class Refusal:
    """
    An answer with an error of the edge's own.

    @ivar status: the HTTP status.
    @ivar text: one line for people.
    @ivar retry_after: the seconds after which the client may try again; L{None} if
        the answer does not say.
    """

    status: int
    text: str
    retry_after: int | None = None

    def after(self, seconds: int) -> Refusal:
        """
        @return: the same refusal, with the seconds after which the client may try again.
        """
        return evolve(self, retry_after=seconds)


# By whose fault: the client's.
NO_SUCH_APP = Refusal(404, "no such app")
REQUEST_TOO_SLOW = Refusal(408, "the request took too long")
BODY_TOO_SLOW = Refusal(408, "the request body came too slowly")
BODY_TOO_LARGE = Refusal(413, "the request body is too large")

# The app's.
LOST = Refusal(502, "the app closed its connection before the response was complete")
BAD_RESPONSE = Refusal(502, "the app sent a response that is not valid HTTP")
APP_SILENT = Refusal(504, "the app did not respond in time")

# No slot can be had.
TOO_MANY_HELD = Refusal(503, "too many requests are held already", 1)
TOO_MANY_HELD_FOR_ADDRESS = Refusal(429, "too many of your requests are held already", 1)
TOO_MANY_ROUTES = Refusal(503, "too many apps are asked for", 10)
# Both are given the seconds after which the client may try again.
TOO_MANY_WOKEN = Refusal(429, "you have too many apps started")
APP_NOT_STARTED = Refusal(503, "the app can't be started now")
HELD_TOO_LONG = Refusal(503, "no instance became free in time", 1)
LEAVING = Refusal(503, "the edge is going down", 1)
ROUTE_STOPPED = Refusal(503, "this app is stopped for now")


def stopped(message: str) -> Refusal:
    """
    The answer for a route that was stopped.

    @param message: what its operator says; C{""} for nothing.
    """
    return evolve(ROUTE_STOPPED, text=message) if message else ROUTE_STOPPED
