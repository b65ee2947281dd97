"""
Converters of what people write in options: numbers, times, names.

Pure: text in, values out.
"""

from __future__ import annotations

import math

from twisted.python import usage

from brxy.values.routename import routeName

__all__ = ["atLeastOne", "capacity", "count", "port", "positive", "route", "seconds"]


def seconds(text: str) -> float:
    """
    A time in seconds, 0 or more.

    @raise ValueError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError("a number of seconds, 0 or more, is needed")
    return value


def count(text: str) -> int:
    """
    A whole number, 0 or more.

    @raise ValueError: it is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a whole number, 0 or more, is needed")
    return int(text)


def positive(text: str) -> float:
    """
    A time in seconds, more than 0.

    @raise ValueError: it is none.
    """
    value = seconds(text)
    if not value:
        raise ValueError("a number of seconds, more than 0, is needed")
    return value


def atLeastOne(text: str) -> int:
    """
    A whole number, 1 or more.

    @raise ValueError: it is none.
    """
    value = count(text)
    if not value:
        raise ValueError("a whole number, 1 or more, is needed")
    return value


def capacity(text: str) -> int:
    """
    How many exchanges an instance takes at once.

    @raise ValueError: it is no whole number from 1 to 10,000.
    """
    return _between(text, 1, 10_000)


def port(text: str) -> int:
    """
    The number of a port to listen at.

    @raise ValueError: it is none.
    """
    return _between(text, 1, 65535)


def _between(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ValueError(f"a whole number from {least} to {most} is needed")
    return int(text)


def route(text: str) -> str:
    """
    The name of a route.

    @raise usage.UsageError: it is none.
    """
    name = routeName(text)
    if name is None:
        raise usage.UsageError(f"{text!r} is no name that a route can have")
    return name
