"""
The keys of each table of a configuration file, from the tables of settings and spawners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import attrs
from attrs import frozen

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.kinds import FRONTEND
from brxy.edge.routing.settings import RouteSettings
from brxy.program.fields import ACTION, FLAG, Setting
from brxy.spawners.spec import Common, optionKeys

__all__ = [
    "DEFAULTS",
    "EDGE",
    "FLAGS",
    "GROUP",
    "LIST",
    "LISTS",
    "REQUESTS",
    "ROUTE",
    "TABLE",
    "TEXT",
    "Key",
    "elsewhere",
    "settingsByKey",
    "spawnKeys",
]

_T = TypeVar("_T")

#: The forms of a value: a text or a number; true or false; an array of which each element is a
#: value; an array that is one value; a table of names with texts; a table with keys of its own.
TEXT, FLAGS, LISTS, LIST, TABLE, GROUP = "text", "flag", "values", "list", "table", "group"

# What the command line has, and a file has in other forms or not at all.
_NOT_IN_FILES = ("spawn", "config")

# Keys of every spawner that a route has by other means.
_OF_ONE_SPAWN = ("route", "name")


@frozen
class Key:
    """
    One key of a table.

    @ivar convert: makes the value of a text, or of an array or table of texts if that is its
        form; raises L{ValueError} with what is needed instead.  For a group it takes the values
        of its keys by their names.
    @ivar form: C{TEXT}, C{FLAGS}, C{LISTS}, C{LIST}, C{TABLE} or C{GROUP}.
    @ivar help: what it is, in one line.
    @ivar takes: the values that are accepted; C{""} if C{help} says that.
    @ivar is_required: the table must have it.
    @ivar is_secret: its value is not to be repeated in a message.
    @ivar is_file: C{convert} reads the file that its value names.
    @ivar keys: those of a group.
    """

    name: str
    convert: Callable[[Any], Any]
    form: str = TEXT
    help: str = ""
    takes: str = ""
    is_required: bool = False
    is_secret: bool = False
    is_file: bool = False
    keys: Mapping[str, Key] = attrs.field(factory=dict)


def _ofSetting(setting: Setting) -> Key:
    form = FLAGS if setting.kind is FLAG else LISTS if setting.repeatable else TEXT
    convert = bool if setting.kind is FLAG else setting.kind.convert
    takes = setting.kind.takes.replace("``", "")
    return Key(setting.name, convert, form, setting.help, takes, is_secret=setting.is_secret)


def _ofOption(name: str, option: attrs.Attribute[Any]) -> Key:
    return Key(
        name,
        option.converter or str,  # type: ignore[arg-type]
        option.metadata.get("form", TEXT),
        option.metadata.get("help", ""),
        is_required=option.default is attrs.NOTHING,
        is_file=option.metadata.get("is_file", False),
    )


def _ofField(name: str, option: attrs.Attribute[Any]) -> Key:
    metadata = option.metadata
    convert, form = metadata["convert"], metadata.get("form", TEXT)
    return Key(
        name,
        partial(_make, convert) if form == GROUP else convert,
        form,
        metadata["help"],
        metadata["takes"],
        is_file=metadata.get("is_file", False),
        keys=_ofFields(convert) if form == GROUP else {},
    )


def _make(owner: type[_T], values: Mapping[str, Any]) -> _T:
    return owner(**{name.replace("-", "_"): value for name, value in values.items()})


def _ofFields(owner: type[Any]) -> dict[str, Key]:
    return {name: _ofField(name, option) for name, option in optionKeys(owner).items()}


def _include(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("the path of a file or a pattern such as apps/*.toml is needed")
    return text


_COMMON = {
    name: _ofOption(name, option)
    for name, option in optionKeys(Common).items()
    if name not in _OF_ONE_SPAWN
}

_OF_REQUESTS = optionKeys(RouteSettings)

#: The keys of a route that are about its requests.
REQUESTS: Mapping[str, Key] = _ofFields(RouteSettings)

#: The keys of C{[defaults]}.
DEFAULTS: Mapping[str, Key] = {
    **{
        name: key
        for name, key in REQUESTS.items()
        if _OF_REQUESTS[name].metadata.get("in_defaults", False)
    },
    **_COMMON,
}

#: The keys of C{[edge]}.
EDGE: Mapping[str, Key] = {
    "include": Key(
        "include",
        _include,
        LISTS,
        "More files with routes. A path begins at the folder of this file.",
        "a path or a pattern such as apps/*.toml",
    ),
    **{
        each.name: _ofSetting(each)
        for each in FIELDS
        if each.kind is not ACTION and each.scope == "edge" and each.name not in _NOT_IN_FILES
    },
}

#: The keys of a route that are values.  It has C{host} and C{spawn} as well.
ROUTE: Mapping[str, Key] = {
    "tcp": Key(
        "tcp",
        lambda text: FRONTEND.convert(f"route={text}"),
        LISTS,
        "Where TCP clients of the route connect, over TLS with tls:ENDPOINT.",
        "the ENDPOINT of --tcp",
    ),
    **REQUESTS,
    **_COMMON,
}


def spawnKeys(options: type[Any]) -> dict[str, Key]:
    """
    The keys of a spawn that are values.  It has C{kind} and C{command} as well.

    @param options: see C{ISpawnerFactory.options}.
    """
    own = {name: _ofOption(name, each) for name, each in optionKeys(options).items()}
    name = _ofOption("name", optionKeys(Common)["name"])
    return {**own, **_COMMON, "name": name}


def settingsByKey() -> dict[str, str]:
    """
    @return: the names of the settings whose values C{[defaults]} has, by its keys.
    """
    return {each.spawn_key: each.name for each in FIELDS if each.spawn_key}


def elsewhere(name: str, table: str) -> str:
    """
    @param table: C{edge}, C{defaults}, C{route} or C{spawn}.
    @return: the end of a message about a key that another table or form has; C{""} if none has.
    """
    keys = {setting: key for key, setting in settingsByKey().items()}
    if name == "spawn" and table != "route":
        return '; a spawn is [[route."HOST".spawn]]'
    if name in REQUESTS and table in ("defaults", "spawn"):
        also = "in [edge] or " if name in EDGE else ""
        return f"; {name} belongs {also}in a route, above its spawns"
    if name in ("include", *EDGE) and table != "edge":
        return f"; {name} belongs in [edge]"
    if table == "edge" and name in REQUESTS and name not in DEFAULTS:
        return f"; {name} belongs in a route"
    if table == "edge" and (name in keys or name in DEFAULTS):
        return f"; {keys.get(name, name)} belongs in [defaults] or in a route"
    if name in keys and keys[name] != name:
        return f"; did you mean {keys[name]}?"
    return ""
