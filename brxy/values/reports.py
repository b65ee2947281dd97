"""
Limits how many different reports of one thing go into a log.

Pure: it only counts.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["fewReports"]

_MOST_REPORTS = 5


def fewReports(report: Callable[[str], None]) -> Callable[[str], None]:
    """
    @return: a function that passes each text on once, and only a few of them: an app whose
        answers vary must not fill the log.
    """
    reported: set[str] = set()

    def reportOnce(text: str) -> None:
        if text not in reported and len(reported) < _MOST_REPORTS:
            reported.add(text)
            report(text)

    return reportOnce
