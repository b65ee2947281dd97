"""
A check that an object is an end of exchanges, for tests.
"""

from __future__ import annotations

from inspect import isfunction, signature

from brxy.transport.relay import End

__all__ = ["verifyEnd"]


def verifyEnd(end: End) -> None:
    """
    Check that an object has all that L{End} names, each method with the same parameters.

    @raise AssertionError: something is missing, or different.
    """
    for name, member in vars(End).items():
        if name.startswith("_"):
            continue
        assert hasattr(end, name), f"{end!r} has no {name}"
        if isfunction(member):
            expected = list(signature(member).parameters)[1:]
            found = list(signature(getattr(end, name)).parameters)
            assert found == expected, f"{name} of {end!r} takes {found}, not {expected}"
