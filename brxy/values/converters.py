"""
Converters of what people write in options: numbers, times, names.

Pure: text in, values out.
"""

from __future__ import annotations

import math

from brxy.values.routename import routeName

__all__ = ["atLeastOne", "capacity", "count", "port", "positive", "route", "seconds"]


def seconds(text: str) -> float:
    """
    A time in seconds, 0 or more.

    @raise ValueError: the text is something else.
    """
    value = _number(text)
    if not 0 <= value < math.inf:
        raise ValueError("a number of seconds, 0 or more, is needed")
    return value


def positive(text: str) -> float:
    """
    A time in seconds, more than 0.

    @raise ValueError: the text is something else.
    """
    value = _number(text)
    if not 0 < value < math.inf:
        raise ValueError("a number of seconds, more than 0, is needed")
    return value


def count(text: str) -> int:
    """
    A whole number, 0 or more.

    @raise ValueError: the text is something else.
    """
    if not _isWhole(text):
        raise ValueError("a whole number, 0 or more, is needed")
    return int(text)


def atLeastOne(text: str) -> int:
    """
    A whole number, 1 or more.

    @raise ValueError: the text is something else.
    """
    if not _isWhole(text) or int(text) < 1:
        raise ValueError("a whole number, 1 or more, is needed")
    return int(text)


def capacity(text: str) -> int:
    """
    The number of exchanges that an instance takes at once.

    @raise ValueError: the text is not a whole number from 1 to 10,000.
    """
    return _between(text, 1, 10_000)


def port(text: str) -> int:
    """
    The number of a TCP port.

    @raise ValueError: the text is not a whole number from 1 to 65,535.
    """
    return _between(text, 1, 65535)


def route(text: str) -> str:
    """
    The name of a route, see L{routeName}.

    @raise ValueError: the text can't be one.
    """
    name = routeName(text)
    if name is None:
        raise ValueError("a host name or an IP address is needed")
    return name


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _isWhole(text: str) -> bool:
    # isdigit() alone takes the digits of every script.
    return text.isascii() and text.isdigit()


def _between(text: str, least: int, most: int) -> int:
    if not (_isWhole(text) and least <= int(text) <= most):
        raise ValueError(f"a whole number from {least} to {most} is needed")
    return int(text)
