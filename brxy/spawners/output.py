"""
The output of an instance, as lines of the log.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

__all__ = ["lineLogger"]


def lineLogger(log: Logger, ticket: str) -> Callable[[int, bytes], None]:
    """
    @return: what logs each line of an instance's output.
    """

    def logLine(descriptor: int, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace")
        if not text.isprintable():
            # It may be a client's words that the app repeats.
            text = "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
        log.info("{ticket}| {line}", ticket=ticket, line=text)

    return logLine
