"""
How hypothesis looks for examples, in all tests of the suite.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

__all__ = ["bounded"]


def bounded(number: int) -> settings:
    """
    Decorate a test: with so many examples, the same ones each time, and however long
    they take on a machine that is busy.
    """
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
