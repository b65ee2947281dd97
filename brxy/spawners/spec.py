"""
The grammar of C{--spawn}: C{NAME: key=value ... -- command...}, or a bare
command, which means C{process:}.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
from attrs import field, frozen
from attrs.converters import optional

from brxy.errors import BadSpawnSpec
from brxy.values.converters import atLeastOne as positiveInt
from brxy.values.converters import (
    capacity,
    changeKind,
    firstSpeaker,
    maxCapacity,
    routePattern,
    seconds,
    spawnName,
)
from brxy.values.converters import port as portNumber
from brxy.wire.proxyheader import proxyVersion

__all__ = [
    "Common",
    "SpawnSpec",
    "optionKeys",
    "parseSpawn",
    "portNumber",
    "positiveInt",
    "routePattern",
    "seconds",
    "spawnName",
    "splitCommon",
]

_NAME = re.compile(r"[a-z][a-z0-9-]*:")
_KEY = re.compile(r"[a-z][a-z0-9-]*")

# Matches "app:max=2" and "app:--", which are typing errors and never the names of programs.
_GLUED = re.compile(r"[a-z][a-z0-9-]*:(--|[a-z][a-z0-9-]*=)")

_Options = TypeVar("_Options")


@frozen
class SpawnSpec:
    """
    The parts of one C{--spawn}, not interpreted yet.

    @ivar name: the name of the spawner, without the colon.
    @ivar options: the values by their keys, as they were written: texts, and from a
        configuration file also sequences of texts and mappings of texts.
    @ivar command: what follows C{--}, one string for each argument; may be empty.
    @ivar contents: of the files that options name, as far as a configuration file was read:
        two specs with the same file differ if its content does.
    """

    name: str
    options: Mapping[str, Any] = field(factory=dict)
    command: tuple[str, ...] = ()
    contents: Mapping[str, Any] = field(factory=dict, repr=False)


def parseSpawn(text: str) -> SpawnSpec:
    """
    Split a C{--spawn} into its parts, by the rules of a shell.

    @raise BadSpawnSpec: the text does not follow the grammar.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadSpawnSpec(f"bad --spawn {text!r}: {str(error).lower()}") from None
    if not words:
        raise BadSpawnSpec("bad --spawn: it is empty")
    first, *rest = words
    if _GLUED.match(first):
        raise BadSpawnSpec(f"bad --spawn {text!r}: a space is missing after the colon")
    if not _NAME.fullmatch(first):
        return SpawnSpec("process", {}, tuple(words))
    end = rest.index("--") if "--" in rest else len(rest)
    return SpawnSpec(first[:-1], _parseOptions(first, rest[:end]), tuple(rest[end + 1 :]))


def _parseOptions(name: str, words: list[str]) -> dict[str, str]:
    """
    @param words: the words between the name and C{--}.
    """
    options: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not _KEY.fullmatch(key):
            raise BadSpawnSpec(f"{name} {word!r} is not key=value (a command goes after --)")
        if key in options:
            raise BadSpawnSpec(f"{name} {key}= is given twice")
        options[key] = value
    return options


@frozen
class Common:
    """
    The options that every spawner knows.  The edge heeds them, no spawner
    does.

    @ivar route: the route, or pattern of routes, it serves; L{None}: all.
    @ivar max: instances of one route at most; L{None}: as C{--max-instances}.
    @ivar capacity: exchanges an instance takes at once, or
        L{brxy.values.capacity.AUTO}; L{None}: as C{--capacity}.
    @ivar max_capacity: the highest capacity that is learned; L{None}: as
        C{--max-capacity}.
    @ivar idle_timeout: seconds that the newest instance stays without work.
    @ivar old_idle_timeout: seconds that an older one does.
    @ivar send_proxy: the version of the PROXY protocol that the app expects.
    @ivar speaks_first: the end of a TCP connection that sends first: C{"client"} or
        C{"server"}.
    @ivar on_change: what becomes of its instances when a reload changes how they are started:
        C{"roll"}, C{"next"} or C{"restart"}.
    @ivar name: the name of the spawn, by which the edge finds its instances again after a
        restart; L{None} for its kind.
    """

    route: str | None = field(
        default=None,
        converter=optional(routePattern),
        metadata={"help": "the host that is served, or a pattern such as *.example.com"},
    )
    max: int | None = field(
        default=None,
        converter=optional(positiveInt),
        metadata={"help": "the highest number of instances of a route"},
    )
    capacity: int | None = field(
        default=None,
        converter=optional(capacity),
        metadata={"help": "auto, or the highest number of exchanges at once on an instance"},
    )
    max_capacity: int | None = field(
        default=None,
        converter=optional(maxCapacity),
        metadata={"help": "the highest capacity that is learned"},
    )
    idle_timeout: float | None = field(
        default=None,
        converter=optional(seconds),
        metadata={"help": "seconds after which the newest instance, if idle, is stopped"},
    )
    old_idle_timeout: float | None = field(
        default=None,
        converter=optional(seconds),
        metadata={"help": "seconds after which an older instance, if idle, is stopped"},
    )
    send_proxy: str | None = field(
        default=None,
        converter=optional(proxyVersion),
        metadata={"help": "v1 or v2: the version of the PROXY header that the app expects"},
    )
    speaks_first: str = field(
        default="client",
        converter=firstSpeaker,
        metadata={"help": "client or server: which end of a TCP connection sends first"},
    )
    on_change: str = field(
        default="roll",
        converter=changeKind,
        metadata={"help": "roll, next or restart: how a reload replaces changed instances"},
    )
    name: str | None = field(
        default=None,
        converter=optional(spawnName),
        metadata={"help": "the name that its instances are found by after a restart"},
    )


def optionKeys(options: type[Any]) -> dict[str, attrs.Attribute[Any]]:
    """
    @param options: an attrs class, see C{ISpawnerFactory.options}.
    @return: its fields, by the keys that people write.
    """
    return {each.name.replace("_", "-"): each for each in attrs.fields(options) if each.init}


def splitCommon(spec: SpawnSpec, own: type[_Options]) -> tuple[Common, _Options]:
    """
    Convert the options of a spec.

    @param own: the attrs class of the spawner's own options.
    @return: the options that every spawner has, and the spawner's own.
    @raise BadSpawnSpec: a key is unknown or missing, or a value is bad.
    """
    common_keys, own_keys = optionKeys(Common), optionKeys(own)
    for key in spec.options:
        if key not in common_keys and key not in own_keys:
            known = ", ".join([*own_keys, *common_keys])
            raise BadSpawnSpec(f"{spec.name}: does not know {key}= (known: {known})")
    for key, each in own_keys.items():
        if each.default is attrs.NOTHING and key not in spec.options:
            raise BadSpawnSpec(f"{spec.name}: needs {key}=")
    common = {key: text for key, text in spec.options.items() if key in common_keys}
    others = {key: text for key, text in spec.options.items() if key not in common_keys}
    return _build(spec, Common, common), _build(spec, own, others)


def _build(spec: SpawnSpec, options: type[_Options], texts: Mapping[str, Any]) -> _Options:
    """
    Make an instance of an attrs class from the texts of its keys.
    """
    keys = optionKeys(options)
    try:
        return options(**{keys[key].alias or keys[key].name: text for key, text in texts.items()})
    except ValueError as error:
        # The text's first bad value, whatever order the converters ran in.
        for key, text in texts.items():
            reason = _refusal(keys[key], text)
            if reason is not None:
                raise BadSpawnSpec(
                    f"{spec.name}: bad value for {key}: {text!r} ({reason})"
                ) from None
        raise BadSpawnSpec(f"{spec.name}: {error}") from None


def _refusal(each: attrs.Attribute[Any], text: Any) -> ValueError | None:
    """
    @return: why the converter of a field refuses a value; L{None} if it does not.
    """
    if callable(each.converter):
        try:
            each.converter(text)
        except ValueError as error:
            return error
    return None
