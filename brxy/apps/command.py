"""
The arguments and the environment that an app is run with.

This module imports nothing, see L{brxy.processes.launch}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["HOST", "appCommand", "appEnvironment"]

# Where an app listens: only the node or edge beside it connects to it.
HOST = "127.0.0.1"

# Variables of brxy, the token among them, are not passed on to an app.
_OWN_PREFIX = "BRXY_"


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


def appEnvironment(environ: Mapping[str, str], port: int, host: str, route: str) -> dict[str, str]:
    """
    The environment for an app: that of its parent without brxy's own variables, and
    with C{PORT}, C{HOST} and C{ROUTE}.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_OWN_PREFIX)}
    return {**kept, "PORT": str(port), "HOST": host, "ROUTE": route}
