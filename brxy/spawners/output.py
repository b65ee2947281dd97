"""
The output of an instance, as lines of the log.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from brxy.values.text import printable

__all__ = ["lackingLogger", "lineLogger"]


def lackingLogger(log: Logger, route: str, ticket: str) -> Callable[[str], None]:
    """
    @return: a function that logs why an instance is not ready.
    """

    def logLacking(lacking: str) -> None:
        log.info("{route}/{id}: not ready yet: {lacking}", route=route, id=ticket, lacking=lacking)

    return logLacking


def lineLogger(log: Logger, ticket: str) -> Callable[[int, bytes], None]:
    """
    @return: a function that logs each line of an instance's output.
    """

    def logLine(descriptor: int, line: bytes) -> None:
        # It may be text of a client that the app repeats.  Tabs do no harm.
        parts = line.decode("utf-8", "backslashreplace").split("\t")
        log.info("{ticket}| {line}", ticket=ticket, line="\t".join(map(printable, parts)))

    return logLine
