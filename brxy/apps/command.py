"""
The arguments and the environment that an app is run with.

This module imports no more than it needs, see L{brxy.processes.launch}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from brxy.processes.place import HERE, Place

__all__ = ["HOST", "PLAIN", "Surroundings", "appCommand", "appEnvironment"]

# Where an app listens: only the node or edge beside it connects to it.
HOST = "127.0.0.1"

# Variables of brxy, the token among them, are not passed on to an app.
_OWN_PREFIX = "BRXY_"


class Surroundings(NamedTuple):
    """
    What users give an app besides its command.

    @ivar file: additions to its environment, as they are.
    @ivar env: further additions, which override the others; placeholders in their values
        are replaced.
    """

    file: Mapping[str, str] = {}
    env: Mapping[str, str] = {}
    place: Place = HERE


# Nothing.
PLAIN = Surroundings()


def appCommand(command: Sequence[str], port: int, host: str, route: str) -> list[str]:
    """
    The command with C{{port}}, C{{host}} and C{{route}} replaced in its
    arguments, for apps that read no C{PORT}.
    """
    values = {"{port}": str(port), "{host}": host, "{route}": route}
    arguments = []
    for argument in command:
        for placeholder, value in values.items():
            argument = argument.replace(placeholder, value)
        arguments.append(argument)
    return arguments


def appEnvironment(
    environ: Mapping[str, str],
    port: int,
    host: str,
    route: str,
    surroundings: Surroundings = PLAIN,
) -> dict[str, str]:
    """
    The environment for an app: that of its parent without brxy's own variables, and with
    what users give it, and C{PORT}, C{HOST} and C{ROUTE}.
    """
    file, env, place = surroundings
    kept = {name: value for name, value in environ.items() if not name.startswith(_OWN_PREFIX)}
    values = appCommand(list(env.values()), port, host, route)
    given = {**file, **dict(zip(env, values, strict=True))}
    ours = {"PORT": str(port), "HOST": host, "ROUTE": route}
    return {**kept, **place.environment(), **given, **ours}
