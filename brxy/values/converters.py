"""
Converters of what people write in options: numbers, times, names of routes.

Each takes the text and returns the value, or raises C{ValueError} with one line that
says what is needed.

Pure: text in, values out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from brxy.values.capacity import AUTO
from brxy.values.routename import routeName

__all__ = [
    "BadEntry",
    "atLeastOne",
    "capacity",
    "changeKind",
    "count",
    "firstSpeaker",
    "listed",
    "maxCapacity",
    "port",
    "positive",
    "route",
    "routePattern",
    "seconds",
    "size",
    "spawnName",
    "wholeSeconds",
]

# With the id of an edge it is the value of a label, for which Kubernetes has these rules.
_SPAWN_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,28}[A-Za-z0-9])?")


class BadEntry(ValueError):
    """
    One entry of a table can't be used.

    @ivar path: where it is in the table.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.path = (name,)


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

_PART = r"(\d+(?:\.\d+)?)(ms|[smhd])"
_TIME = re.compile(f"(?:{_PART})+", re.ASCII)

_SIZE = re.compile(r"(\d+)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)

_TIMES = "such as 90s, 5m or 1h30m"


def seconds(text: str | float) -> float:
    """
    Convert a time, 0 or more, to seconds: a number of them, or numbers with the units
    C{ms}, C{s}, C{m}, C{h} and C{d}.  Numbers are for defaults.

    @raise ValueError: it is not a time.
    """
    value = _time(text)
    if not 0 <= value < math.inf:
        raise ValueError(f"a number of seconds, 0 or more, is needed, or a time {_TIMES}")
    return value


def wholeSeconds(text: str) -> int:
    """
    Convert a time of whole seconds, 0 or more, to seconds.

    @raise ValueError: it is not one.
    """
    value = _time(text)
    if not (0 <= value < math.inf and value == int(value)):
        raise ValueError("a whole number of seconds is needed, or a time such as 5m, 1h or 365d")
    return int(value)


def size(text: str) -> int:
    """
    Convert a number of bytes, with or without one of the units C{K}, C{M}, C{G} and C{T},
    of 1024 bytes and so on.

    @raise ValueError: it is not one.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("a number of bytes, 0 or more, is needed, such as 1000, 64K, 512M or 2G")
    return int(match[1]) << 10 * " kmgt".index(match[2].lower() or " ")


def listed(given: str | Sequence[str]) -> tuple[str, ...]:
    """
    Convert texts with commas between them, or a sequence of texts.
    """
    return tuple(given.split(",") if isinstance(given, str) else given)


def positive(text: str | float) -> float:
    """
    Convert a time in seconds, more than 0.

    @raise ValueError: it is not a time, or 0.
    """
    value = _time(text)
    if not 0 < value < math.inf:
        raise ValueError(f"a number of seconds, more than 0, is needed, or a time {_TIMES}")
    return value


def _time(text: str | float) -> float:
    if isinstance(text, str) and _TIME.fullmatch(text):
        return sum(float(each) * _UNITS[unit] for each, unit in re.findall(_PART, text))
    try:
        return float(text)
    except ValueError:
        return math.nan


def count(text: str) -> int:
    """
    Convert a whole number, 0 or more.

    @raise ValueError: it is not one.
    """
    return _whole(text, 0, math.inf, "a whole number, 0 or more, is needed")


def atLeastOne(text: str) -> int:
    """
    Convert a whole number, 1 or more.

    @raise ValueError: it is not one.
    """
    return _whole(text, 1, math.inf, "a whole number, 1 or more, is needed")


def capacity(text: str) -> int:
    """
    Convert a number of exchanges that an instance takes at once; C{auto} is L{AUTO}.

    @raise ValueError: it is neither C{auto} nor a whole number from 1 to 10,000.
    """
    if text == "auto":
        return AUTO
    return _whole(text, 1, 10_000, "auto or a whole number from 1 to 10000 is needed")


def maxCapacity(text: str) -> int:
    """
    Convert the highest number of exchanges that an instance may be found to take at once.

    @raise ValueError: it is not a whole number from 1 to 10,000.
    """
    return _whole(text, 1, 10_000, "a whole number from 1 to 10000 is needed")


def changeKind(text: str) -> str:
    """
    Convert what becomes of instances when a reload changes how they are started: C{roll},
    C{next} or C{restart}.

    @raise ValueError: it is none of them.
    """
    if text not in ("roll", "next", "restart"):
        raise ValueError("roll, next or restart is needed")
    return text


def firstSpeaker(text: str) -> str:
    """
    Convert the end of a TCP connection that sends first: C{client} or C{server}.

    @raise ValueError: it is neither.
    """
    if text not in ("client", "server"):
        raise ValueError("client or server is needed")
    return text


def port(text: str) -> int:
    """
    Convert the number of a TCP port.

    @raise ValueError: it is not a whole number from 1 to 65,535.
    """
    return _whole(text, 1, 65_535, "a whole number from 1 to 65535 is needed")


def _whole(text: str, least: float, most: float, needed: str) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ValueError(needed)
    return int(text)


def route(text: str) -> str:
    """
    Convert the name of a route.

    @raise ValueError: no route can have this name.
    """
    name = routeName(text)
    if name is None:
        raise ValueError("a host name or an IP address is needed")
    return name


def routePattern(text: str) -> str:
    """
    Convert a route, or C{*.} and the end of one.

    @raise ValueError: it is neither.
    """
    star, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    found = routeName(name)
    if found is None:
        raise ValueError("a host name, or one with *. before it, is needed")
    return star + found


def spawnName(text: str) -> str:
    """
    Convert the name of a spawn.

    @raise ValueError: it has other characters than letters, digits, C{-} and C{_}, more
        than 30, or C{-} or C{_} at an end.
    """
    if not _SPAWN_NAME.fullmatch(text):
        raise ValueError(
            "1 to 30 letters, digits, - and _ are needed, with a letter or digit at both ends"
        )
    return text
