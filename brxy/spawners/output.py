"""
The output of an instance, as lines of the log.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from brxy.values.text import printable

__all__ = ["OutputLogger", "lackingLogger"]


def lackingLogger(log: Logger, route: str, ticket: str) -> Callable[[str], None]:
    """
    @return: a function that logs why an instance is not ready.
    """

    def logLacking(lacking: str) -> None:
        log.info("{route}/{id}: not ready yet: {lacking}", route=route, id=ticket, lacking=lacking)

    return logLacking


class OutputLogger:
    """
    Logs each line of an instance's output.

    The text of an event is safe for a file.  For a log on a terminal, C{raw_line} has what
    the instance printed.  An event with C{raw_progress}, a line that has no end yet, is for
    a terminal only: its text is empty, and other logs leave it out.
    """

    def __init__(self, log: Logger, ticket: str) -> None:
        """
        @param ticket: of the instance.
        """
        self._log = log
        self._ticket = ticket

    def __call__(self, descriptor: int, line: bytes) -> None:
        """
        Log a line.
        """
        # It may be text of a client that the app repeats.  Tabs do no harm.
        text = line.decode("utf-8", "backslashreplace")
        safe = "\t".join(map(printable, text.split("\t")))
        self._log.info("{ticket}| {line}", ticket=self._ticket, line=safe, raw_line=text)

    def progress(self, descriptor: int, line: bytes) -> None:
        """
        Show a line that has no end yet, and that the instance writes over.
        """
        text = line.decode("utf-8", "backslashreplace")
        self._log.info("", ticket=self._ticket, raw_progress=text)
