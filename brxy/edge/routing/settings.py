"""
The keys of a route in a configuration file that are about its requests.

A key is a field of L{RouteSettings}: its name, converter, form and help are there and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from brxy.edge.routing.errorpages import ErrorPages, errorPages
from brxy.edge.routing.fields import Headers
from brxy.edge.routing.keys import key
from brxy.edge.routing.paths import pathPrefix
from brxy.edge.routing.redirection import Redirection, redirectCode, redirection
from brxy.values.converters import seconds, size

__all__ = ["NO_SETTINGS", "RouteSettings", "RoutedHosts"]


@frozen
class RouteSettings:
    """
    What becomes of the requests of a route.

    @ivar paths: the prefixes of the paths that it serves; empty for all paths.
    @ivar strip_prefix: its app gets the path without the prefix.
    @ivar headers: the fields that are changed.
    @ivar redirect: where its clients are redirected; L{None} if an app serves them.
    @ivar redirect_code: the status of that answer.
    @ivar hold_timeout: how long its clients are held, in seconds; L{None} for as long as those of
        other routes.
    @ivar max_body: bytes of the body of a request; 0 for no limit; L{None} for that of the edge.
    @ivar error_pages: pages for the edge's own errors, before those of the edge.
    @ivar gzip: responses are compressed for clients that accept that.
    """

    paths: Sequence[bytes] = key(
        (),
        pathPrefix,
        "Only paths at or below these belong to the route.",
        "a path such as /api",
        form="values",
    )
    strip_prefix: bool = key(False, bool, "The app gets the path without the prefix.", form="flag")
    headers: Headers = key(
        Headers(),
        Headers,
        "Header fields that are added, set or removed in requests and responses.",
        form="group",
        in_defaults=True,
    )
    redirect: Redirection | None = key(
        None,
        redirection,
        "Where clients are redirected by the edge. Nothing is started.",
        "a host, or an URL in which {host}, {path} and {query} stand for parts of the request",
    )
    hold_timeout: float | None = key(
        None,
        seconds,
        "How long a client of the route is held at most; else as hold-timeout of [edge].",
        "a number of seconds, or a time such as 90s, 5m or 1h30m",
    )
    redirect_code: int = key(
        307, redirectCode, "The status of a redirect.", "301, 302, 303, 307 or 308"
    )
    max_body: int | None = key(
        None,
        size,
        "How long the body of a request may be, in place of the max-body of the edge.",
        "a number of bytes such as 1000, 64K or 10M; 0 for no limit",
    )
    error_pages: ErrorPages | None = key(
        None,
        errorPages,
        "The folder with pages for errors of the edge, such as 503.html.",
        "a folder",
        is_file=True,
    )
    gzip: bool = key(
        False,
        bool,
        "Responses with text are compressed for clients that accept gzip.",
        form="flag",
        in_defaults=True,
    )

    @property
    def decides(self) -> bool:
        """
        Whether more counts for a request than its host.
        """
        return evolve(self, hold_timeout=None) != NO_SETTINGS


#: What holds for a route unless a file says something else.
NO_SETTINGS = RouteSettings()


@frozen
class RoutedHosts:
    """
    A route of a configuration file that has settings for its requests.

    @ivar name: of the route.
    @ivar hosts: its hosts and patterns; C{*} for all.
    """

    name: str
    hosts: Sequence[str]
    settings: RouteSettings = NO_SETTINGS
