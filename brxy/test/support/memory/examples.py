"""
The settings of hypothesis for all tests of the suite.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["bounded"]


def bounded(number: int) -> settings:
    """
    Decorate a test: it runs this many examples, the same ones each time,
    without a time limit for each, because the machine may be busy.
    """
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
