"""
What the command lines of edge and node have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from twisted.python import usage

from brxy.program.guarded import fail
from brxy.values.converters import atLeastOne, capacity, count, port, positive, seconds

__all__ = ["Options"]


seconds.coerceDoc = "Seconds, 0 or more."  # type: ignore[attr-defined]


count.coerceDoc = "A whole number, 0 or more."  # type: ignore[attr-defined]


positive.coerceDoc = "Seconds, more than 0."  # type: ignore[attr-defined]


atLeastOne.coerceDoc = "A whole number, 1 or more."  # type: ignore[attr-defined]


capacity.coerceDoc = "A whole number from 1 to 10000."  # type: ignore[attr-defined]


port.coerceDoc = "A whole number from 1 to 65535."  # type: ignore[attr-defined]


class Options(usage.Options):
    """
    Options whose errors are one line.

    @ivar program: what the command is called.
    """

    program = "brxy"

    optParameters: list[list[Any]] = []

    def __init_subclass__(cls) -> None:
        cls.optParameters = [_withName(*parameter) for parameter in cls.optParameters]

    def parseOptions(self, options: Any = None) -> None:
        """
        Parse a command line, or end with a line that says what is wrong: in
        twistd's own report of an error that line would be hard to find.
        """
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            fail(self.program, error)

    def foreground(self) -> bool:
        """
        Does twistd stay in the foreground?
        """
        parent = self.parent
        return parent is None or bool(parent.get("nodaemon"))

    def withoutPidfile(self) -> None:
        """
        In the foreground write no pidfile unless asked for: an edge and its
        nodes may share a folder, and a second twistd.pid refuses to start.
        """
        parent = self.parent
        if parent is not None and parent.get("nodaemon") and parent.get("pidfile") == "twistd.pid":
            parent["pidfile"] = ""


def _withName(
    name: str,
    short: str | None,
    default: Any,
    doc: str,
    coerce: Callable[[str], Any] | None = None,
) -> list[Any]:
    """
    A parameter whose error says which one it is; twistd's says only the value.
    """
    if coerce is None:
        return [name, short, default, doc]

    @wraps(coerce)
    def coerceOrTell(text: str) -> Any:
        try:
            return coerce(text)
        except ValueError as error:
            raise usage.UsageError(f"bad --{name} {text!r}: {error}") from None

    return [name, short, default, doc, coerceOrTell]
