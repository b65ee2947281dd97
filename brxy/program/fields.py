"""
The settings of a program as data: a L{Setting} declares one of them, a L{Table} all.

The command line, C{--help}, the defaults of the settings objects and the reference
page are all made from a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from brxy.values import converters

__all__ = [
    "ACTION",
    "CAPACITY",
    "COMMON",
    "FILE",
    "FLAG",
    "FOLDER",
    "MAX_CAPACITY",
    "PORT",
    "POSITIVE",
    "ROUTE",
    "SECONDS",
    "SPEAKER",
    "Kind",
    "Setting",
    "Table",
    "atLeastOne",
    "count",
    "size",
]


@frozen
class Kind:
    """
    What the value of a setting looks like.

    @ivar placeholder: stands for the value in C{--help}: C{TIME}; C{""} if the
        setting takes no value.
    @ivar convert: makes the value of its text, or raises L{ValueError} with what is
        needed instead.
    @ivar takes: the values that are accepted, for the reference: C{"a time, 0 or more"}.
    @ivar unit: of the value; L{None} if it has none, as names and files have not.
    @ivar zero: what 0 means, if it does not mean the number 0.
    """

    placeholder: str
    convert: Callable[[str], Any]
    takes: str
    unit: str | None = None
    zero: str = ""


def _path(text: str) -> str | None:
    # An empty variable of a shell script counts as no file.
    return text or None


def _noValue(text: str) -> Any:
    raise ValueError("it takes no value")


def _logFormat(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("text or json is needed")
    return text


def _transport(text: str) -> str:
    if text not in ("epoll", "reactor"):
        raise ValueError("epoll or reactor is needed")
    return text


#: On when it is given.
FLAG = Kind("", _noValue, "a flag")

#: Does something at once and ends the program, by an C{opt_} method of its options.
ACTION = Kind("", _noValue, "no value")

SECONDS = Kind("TIME", converters.seconds, "a time, 0 or more", "seconds")
POSITIVE = Kind("TIME", converters.positive, "a time, more than 0", "seconds")
CAPACITY = Kind(
    "N|auto", converters.capacity, "``auto``, or exchanges, from 1 to 10000", "exchanges"
)
MAX_CAPACITY = Kind("N", converters.maxCapacity, "exchanges, from 1 to 10000", "exchanges")
SPEAKER = Kind("client|server", converters.firstSpeaker, "``client`` or ``server``")
PORT = Kind("PORT", converters.port, "a port, from 1 to 65535")
ROUTE = Kind("NAME", converters.route, "a host name or an IP address")
FILE = Kind("FILE", _path, "a file")
FOLDER = Kind("FOLDER", _path, "a folder")


def count(unit: str, zero: str = "") -> Kind:
    """
    A number of things, 0 or more.

    @param zero: see L{Kind}.
    """
    return Kind("N", converters.count, f"{unit}, 0 or more", unit, zero)


def size(zero: str = "") -> Kind:
    """
    A number of bytes, 0 or more.

    @param zero: see L{Kind}.
    """
    return Kind("SIZE", converters.size, "a size, 0 or more", "bytes", zero)


def atLeastOne(unit: str) -> Kind:
    """
    A number of things, 1 or more.
    """
    return Kind("N", converters.atLeastOne, f"{unit}, 1 or more", unit)


@frozen(kw_only=True)
class Setting:
    """
    One thing that can be set.

    @ivar name: of the option, without C{--}.
    @ivar short: the letter of its short form.
    @ivar group: the heading it stands under in C{--help} and in the reference.
    @ivar kind: what its value looks like.
    @ivar help: what it is, in one sentence of plain text.
    @ivar field: where its value is kept: the name of a field of the program's settings
        object, as a path if that is part of another one (C{limits.max_held}).  L{None} if it
        is not kept.
    @ivar default: the value that holds if none is given, as text; L{None} if there is
        none.  For one that is repeatable: the only value then.
    @ivar default_note: says more of the default than its value, or what holds without
        one; plain text.
    @ivar repeatable: it may be given several times, and all values count.
    @ivar reloadable: the program reads it anew at SIGHUP.
    @ivar environment: the variable whose value holds if no option is given.
    @ivar is_option: whether there is an option, or the environment variable only.
    @ivar is_secret: its value is not to be repeated in a message.
    @ivar spawn_key: the key of spawn strings that sets it for some routes only.
    @ivar client: what a client gets when the setting strikes, as reST.
    @ivar detail: what else there is to know, as reST.
    @ivar see: where to read on, as reST.
    """

    name: str
    group: str
    kind: Kind
    help: str
    field: str | None
    short: str | None = None
    default: str | None = None
    default_note: str = ""
    repeatable: bool = False
    reloadable: bool = False
    environment: str | None = None
    is_option: bool = True
    is_secret: bool = False
    spawn_key: str | None = None
    client: str = ""
    detail: str = ""
    see: str = ""

    @property
    def scope(self) -> str:
        """
        C{route} if its value may differ from route to route, else C{edge}.
        """
        return "route" if self.spawn_key else "edge"

    @property
    def value(self) -> Any:
        """
        The value that holds if none is given.
        """
        if self.kind is FLAG:
            return False
        return None if self.default is None else self.kind.convert(self.default)


_OTHER = "Other"

#: See L{brxy.program.reactors.usedReactor}.
_TRANSPORT = Setting(
    name="transport",
    group=_OTHER,
    kind=Kind("epoll|reactor", _transport, "``epoll`` or ``reactor``"),
    help="Serve connections with brxy's own epoll transport, or with Twisted's reactor.",
    field=None,
    default="epoll",
    detail="""
    brxy's own transport needs half of the system calls. Peers see no difference. Use
    ``reactor`` to find out whether a problem comes from brxy's own transport.
    """,
)

#: See L{brxy.program.logs.logObserver}.
_LOG_FORMAT = Setting(
    name="log-format",
    group=_OTHER,
    kind=Kind("text|json", _logFormat, "``text`` or ``json``"),
    help="Log lines of text, or one JSON object a line.",
    field=None,
    default="text",
    see=":doc:`logs`",
)

_HELP = Setting(
    name="help", group=_OTHER, kind=ACTION, help="Print the options and exit.", field=None
)
_VERSION = Setting(
    name="version", group=_OTHER, kind=ACTION, help="Print brxy's version and exit.", field=None
)

#: The settings of every program.
COMMON = (_TRANSPORT, _LOG_FORMAT, _HELP, _VERSION)


@frozen
class Table:
    """
    All settings of a program, in the order of their groups.
    """

    settings: tuple[Setting, ...]

    def __iter__(self) -> Iterator[Setting]:
        return iter(self.settings)

    def __getitem__(self, name: str) -> Setting:
        return next(each for each in self.settings if each.name == name)

    def options(self) -> Iterator[Setting]:
        """
        The settings that have an option.
        """
        return (each for each in self.settings if each.is_option)

    def groups(self) -> dict[str, list[Setting]]:
        """
        The settings that have an option, by the headings they stand under.
        """
        groups: dict[str, list[Setting]] = {}
        for each in self.options():
            groups.setdefault(each.group, []).append(each)
        return groups

    def default(self, path: str) -> Any:
        """
        The default of a field, see L{Setting.field}.
        """
        return next(each for each in self.settings if each.field == path).value

    def values(self, given: Mapping[str, Any], path: str = "") -> dict[str, Any]:
        """
        The values for the fields of a settings object.

        @param given: values by the names of settings.
        @param path: of the object, if it is part of another one: C{limits.}
        """
        return {
            name: bool(given[each.name]) if each.kind is FLAG else given[each.name]
            for each, name in self._fields(path)
        }

    def _fields(self, path: str) -> Iterable[tuple[Setting, str]]:
        for each in self.settings:
            if each.field is not None and each.field.startswith(path):
                name = each.field.removeprefix(path)
                if "." not in name:
                    yield each, name
