"""
The keys of a route in a configuration file that are about its requests.

A key is a field of L{RouteSettings}: its name, converter, form and help are there and nowhere
else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import field, frozen

from brxy.edge.routing.paths import pathPrefix

__all__ = ["NO_SETTINGS", "RouteSettings", "RoutedHosts"]


def _key(
    default: Any, convert: Callable[[Any], Any], help: str, takes: str = "", **more: Any
) -> Any:
    """
    A field that is a key.

    @param convert: makes the value of a text, or of what C{form} says.
    @param help: what it is, in one line.
    @param takes: the values that are accepted.
    @param more: C{form}, see L{brxy.edge.config.files.keys.Key}; C{in_defaults}: C{[defaults]}
        may have it as well.
    """
    return field(default=default, metadata=dict(convert=convert, help=help, takes=takes, **more))


@frozen
class RouteSettings:
    """
    What becomes of the requests of a route.

    @ivar paths: the prefixes of the paths that it serves; empty for all paths.
    @ivar strip_prefix: its app gets the path without the prefix.
    """

    paths: Sequence[bytes] = _key(
        (),
        pathPrefix,
        "Only paths at or below these belong to the route.",
        "a path such as /api",
        form="values",
    )
    strip_prefix: bool = _key(
        False, bool, "The app gets the path without the prefix.", form="flag"
    )


#: What holds for a route unless a file says something else.
NO_SETTINGS = RouteSettings()


@frozen
class RoutedHosts:
    """
    A route of a configuration file for whose requests more than the host counts.

    @ivar name: of the route.
    @ivar hosts: its hosts and patterns; C{*} for all.
    """

    name: str
    hosts: Sequence[str]
    settings: RouteSettings = NO_SETTINGS
