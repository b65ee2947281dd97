"""
What happens while a daemon can't be reached: one line in the log, and pauses.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from brxy.spawners.api.errors import DaemonError

__all__ = ["Outage"]


class Outage:
    """
    The failures of requests that are repeated until they succeed.

    @param log: gets one line for each outage.
    @param warning: the format of that line, with C{error} as its field.
    @param delay: returns the seconds until the next attempt after a number of failures in
        a row, less one.
    """

    def __init__(self, log: Logger, warning: str, delay: Callable[[int], float]) -> None:
        self._log = log
        self._warning = warning
        self._delay = delay
        self._failures = 0

    def failed(self, error: DaemonError) -> float:
        """
        A request failed.

        @return: the seconds until the next attempt.
        """
        if not self._failures:
            self._log.warn(self._warning, error=error)
        self._failures += 1
        return self._delay(self._failures - 1)

    def ended(self) -> bool:
        """
        A request succeeded.

        @return: whether requests failed before.
        """
        failures, self._failures = self._failures, 0
        return failures > 0
