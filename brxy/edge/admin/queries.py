"""
What the handlers of the admin API need to read a query.

Pure: it gets a request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from brxy.edge.admin.messages import Request
from brxy.errors import BadRequest
from brxy.values.routename import routeName
from brxy.values.routepattern import covers

__all__ = [
    "Page",
    "checkBody",
    "checkQuery",
    "choice",
    "covered",
    "given",
    "hostOf",
    "messageOf",
    "pageOf",
]

_Value = TypeVar("_Value", int, float)

# Characters of a message for clients.
_LONGEST = 500

_LIMIT = 100
_MOST = 1000


def checkQuery(request: Request, known: Collection[str]) -> None:
    """
    Refuse parameters that have no meaning here: a filter that is misspelled would show
    everything.

    @raise BadRequest: there is one.
    """
    for name in request.query:
        if name not in known:
            raise BadRequest(400, f"the parameters here are {', '.join(known)}, not {name!r}")


def choice(request: Request, name: str, known: Sequence[str]) -> str:
    """
    @return: the value of a parameter; C{""} without it.
    @raise BadRequest: it is none of those that are known.
    """
    value = request.query.get(name, "")
    if value and value not in known:
        raise BadRequest(400, f"{name} is one of {', '.join(known)}, not {value!r}")
    return value


def checkBody(request: Request, known: Collection[str]) -> None:
    """
    Refuse fields of a body that have no meaning here.

    @raise BadRequest: there is one.
    """
    for name in request.body:
        if name not in known:
            fields = f"the fields here are {', '.join(known)}" if known else "no field is known"
            raise BadRequest(400, f"{fields}, not {name!r}")


def given(
    request: Request, name: str, convert: Callable[[str], _Value], default: _Value
) -> _Value:
    """
    @return: the value of a field of a body.
    @raise BadRequest: it is none that can be used.
    """
    value = request.body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadRequest(400, f"{name}: a number or a text is needed")
    try:
        return convert(str(value))
    except ValueError as error:
        raise BadRequest(400, f"{name}: {error}") from None


def messageOf(request: Request) -> str:
    """
    @return: the message for clients in a body; C{""} without one.
    @raise BadRequest: it is not one line of text.
    """
    message = request.body.get("message", "")
    if not isinstance(message, str) or len(message) > _LONGEST or not message.isprintable():
        raise BadRequest(400, f"message: one line with at most {_LONGEST} characters is needed")
    return message


def hostOf(request: Request) -> str:
    """
    @return: the route in the path of a request.
    @raise BadRequest: it can't be one.
    """
    name = routeName(request.parts["host"])
    if name is None:
        raise BadRequest(400, "that is no host name")
    return name


def covered(names: Iterable[str], pattern: str) -> list[str]:
    """
    @param pattern: a host, or one such as C{*.example.com}; C{""} for all.
    @return: the names that it covers, in order.
    """
    wanted = pattern.lower()
    return sorted(each for each in names if not wanted or covers(wanted, each))


class Page:
    """
    A part of a list that is in the order of its keys.

    @ivar limit: how many entries it has at most.
    @ivar after: the key of the last entry of the page before.
    """

    def __init__(self, limit: int, after: str) -> None:
        self.limit = limit
        self.after = after

    def next(self, keys: Sequence[str], more: bool) -> str | None:
        """
        @param keys: those of the page.
        @param more: there are further entries.
        @return: C{after} of the next page.
        """
        return keys[-1] if more and keys else None


def pageOf(request: Request) -> Page:
    """
    @return: the part of a list that C{limit} and C{after} select.
    @raise BadRequest: C{limit} is no such number.
    """
    text = request.query.get("limit", str(_LIMIT))
    if not (text.isascii() and text.isdigit() and 0 < int(text[:5]) <= _MOST):
        raise BadRequest(400, f"limit is a number from 1 to {_MOST}")
    return Page(int(text), request.query.get("after", ""))
