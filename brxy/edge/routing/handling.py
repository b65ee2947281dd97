"""
What becomes of the requests of one route.
"""

from __future__ import annotations

from brxy.edge.routing.fields import FieldEditor, RequestHeaders, ResponseHeaders
from brxy.edge.routing.settings import NO_SETTINGS, RouteSettings
from brxy.http.messages import RequestHead, ResponseHead, withPassed

__all__ = ["Handling"]

_NO_REQUEST, _NO_RESPONSE = RequestHeaders(), ResponseHeaders()


class Handling:
    """
    How the edge handles the requests of a route, or those below one of its prefixes.

    @ivar name: the route; C{""} if only the host determines that.
    @ivar prefix: of the paths that it is for; C{b""} for all.
    @ivar strips: the prefix is removed for the app.
    @ivar own: field lines for the edge's own answers.
    """

    def __init__(
        self, name: str = "", settings: RouteSettings = NO_SETTINGS, prefix: bytes = b""
    ) -> None:
        self.name = name
        self.settings = settings
        self.prefix = prefix
        self.strips = bool(prefix) and settings.strip_prefix
        headers = settings.headers
        self._request = FieldEditor(headers.request) if headers.request != _NO_REQUEST else None
        self._response = (
            FieldEditor(headers.response) if headers.response != _NO_RESPONSE else None
        )
        self.own = self._response.own if self._response is not None else b""

    def target(self, head: RequestHead) -> bytes:
        """
        @return: the target of a request as its app gets it.
        """
        if not self.strips:
            return head.target
        rest = head.target[len(self.prefix) :]
        return rest if rest.startswith(b"/") else b"/" + rest

    def request(self, head: RequestHead) -> RequestHead:
        """
        @return: a request as its app gets it.
        """
        if not self.strips and self._request is None:
            return head
        passed = head.passed
        if self.strips:
            passed += b"X-Forwarded-Prefix: %b\r\n" % self.prefix
        if self._request is not None:
            passed = self._request.lines(passed)
        return withPassed(head, self.target(head), passed)

    def response(self, head: ResponseHead) -> ResponseHead:
        """
        @return: an app's response as its client gets it.
        """
        return head if self._response is None else self._response.response(head)

    def maxBody(self, usual: int) -> int:
        """
        @param usual: what holds for other routes.
        @return: bytes of the body of a request, at most; 0 for no limit.
        """
        own = self.settings.max_body
        return usual if own is None else own

    def redirect(self, head: RequestHead, scheme: bytes) -> bytes:
        """
        Where a client is redirected.

        @param scheme: of the request.
        @return: the value of Location; C{b""} if an app serves the request.
        @raise BadRequest: the request has no host, and that is needed.
        """
        redirect = self.settings.redirect
        return b"" if redirect is None else redirect.location(head, scheme, self.target(head))
