"""
The routes that the settings name, and whether each can be served.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from brxy.edge.config.settings import EdgeSettings
from brxy.errors import UsageError
from brxy.values.routepattern import canonical, covers

__all__ = ["checkServed", "namedRoutes"]


def checkServed(option: str, routes: Iterable[str], patterns: Sequence[str | None]) -> None:
    """
    Check that some spawn serves each of these routes.

    @param option: the option that names the routes.
    @param patterns: the routes of the spawns, see L{covers}.
    @raise UsageError: no spawn serves one of them.
    """
    for route in routes:
        if any(covers(pattern, route) for pattern in patterns):
            continue
        known = [pattern for pattern in patterns if pattern is not None]
        [alike, *_] = [*get_close_matches(route, known, 1), *known]
        raise UsageError(
            f"{option}: no --spawn serves the route {route}: write route={route} in place of "
            f"route={alike}, or add a --spawn for it"
        )


def namedRoutes(settings: EdgeSettings) -> Iterable[str]:
    """
    The routes that the settings name, besides those of spawns.
    """
    yield settings.default_route
    for host in settings.routes:
        yield canonical(host, settings.default_route)
    for name, _ in settings.frontends:
        yield name
    for each in settings.tls_frontends:
        yield each.route
