"""
What becomes of the requests of one route.
"""

from __future__ import annotations

from attrs import evolve

from brxy.edge.routing.settings import NO_SETTINGS, RouteSettings
from brxy.http.messages import RequestHead

__all__ = ["Handling"]


class Handling:
    """
    How the edge handles the requests of a route, or those below one of its prefixes.

    @ivar name: the route; C{""} if only the host determines that.
    @ivar prefix: of the paths that it is for; C{b""} for all.
    @ivar strips: the prefix is removed for the app.
    """

    def __init__(
        self, name: str = "", settings: RouteSettings = NO_SETTINGS, prefix: bytes = b""
    ) -> None:
        self.name = name
        self.settings = settings
        self.prefix = prefix
        self.strips = bool(prefix) and settings.strip_prefix

    def request(self, head: RequestHead) -> RequestHead:
        """
        @return: a request as its app gets it.
        """
        return self._stripped(head) if self.strips else head

    def _stripped(self, head: RequestHead) -> RequestHead:
        rest = head.target[len(self.prefix) :]
        target = rest if rest.startswith(b"/") else b"/" + rest
        line = b"X-Forwarded-Prefix: %b\r\n" % self.prefix
        return evolve(head, target=target, passed=head.passed + line)
