"""
What the spawners that run containers are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil, isfinite

from attrs import field, frozen
from attrs.converters import optional

from brxy.reactor.endpoints import clientEndpoint
from brxy.spawners.spec import seconds

__all__ = [
    "ContainerOptions",
    "environmentFile",
    "image",
    "memory",
    "oneOf",
    "variables",
    "volumes",
    "word",
]

# See the grammar of a reference in the registry's own specification; what is no
# image there gets a worse message from the daemon.
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
_WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.:-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_MEMORY = re.compile(r"([0-9]+)([kmg]?)b?", re.IGNORECASE)

# Bytes; the daemon takes no less.
_LEAST_MEMORY = 6 << 20

# A node finishes what runs within its --drain-timeout, 25 s.
_NODE_STOP_TIMEOUT = 30
_APP_STOP_TIMEOUT = 10


def image(text: str) -> str:
    """
    A converter for options: the name of an image, as C{docker run} takes it.

    @raise ValueError: it is none.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError("the name of an image is needed, as nginx:1.25")
    return text


def word(text: str) -> str:
    """
    A converter for options: a name of the daemon's (of a network, a user).

    @raise ValueError: it is none.
    """
    if not _WORD.fullmatch(text):
        raise ValueError("a name is needed")
    return text


def memory(text: str) -> int:
    """
    A converter for options: an amount of memory, as C{512m}, in bytes.

    @raise ValueError: it is none, or too little for a container.
    """
    match = _MEMORY.fullmatch(text)
    if not match:
        raise ValueError("an amount is needed, as 512m or 2g")
    amount = int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30}[match[2].lower()]
    if amount < _LEAST_MEMORY:
        raise ValueError("6m is the least")
    return amount


def cpus(text: str) -> float:
    """
    A converter for options: a number of processors, as C{1.5}.

    @raise ValueError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (isfinite(number) and number >= 0.01):
        raise ValueError("a number of processors is needed, as 1.5")
    return number


def variables(text: str) -> Mapping[str, str]:
    """
    A converter for options: C{NAME=VALUE}, or several with commas between.

    @raise ValueError: it is something else.
    """
    return dict(_variable(each, "NAME=VALUE,NAME=VALUE is needed") for each in text.split(","))


def _variable(text: str, complaint: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name) or "\0" in value:
        raise ValueError(complaint)
    return name, value


def environmentFile(path: str) -> Mapping[str, str]:
    """
    A converter for options: a file of lines C{NAME=VALUE}, as C{docker run
    --env-file} reads it.  Empty lines and those that begin with C{#} are
    passed over.

    @raise ValueError: it can't be read, or a line is something else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    return dict(
        _variable(line, f"line {number} is no NAME=VALUE")
        for number, line in enumerate(lines, 1)
        if line and not line.startswith("#")
    )


def volumes(text: str) -> tuple[str, ...]:
    """
    A converter for options: C{SOURCE:TARGET} or C{SOURCE:TARGET:ro}, or several
    with commas between.  The source is a path or a volume's name.

    @raise ValueError: it is something else.
    """
    found = tuple(text.split(","))
    for each in found:
        source, _, rest = each.partition(":")
        target, _, mode = rest.partition(":")
        named = source.startswith("/") or _WORD.fullmatch(source)
        if not named or not target.startswith("/") or mode not in ("", "ro", "rw"):
            raise ValueError("SOURCE:TARGET or SOURCE:TARGET:ro is needed, the target a path")
    return found


def oneOf(text: str, *choices: str) -> str:
    """
    For converters of options: one of these.

    @raise ValueError: it is none of them.
    """
    if text not in choices:
        raise ValueError(f"{', '.join(choices[:-1])} or {choices[-1]} is needed")
    return text


@frozen(kw_only=True)
class ContainerOptions:
    """
    The keys that C{docker:} and C{swarm:} share.
    """

    image: str = field(converter=image, metadata={"help": "what runs, as docker run takes it"})
    env: Mapping[str, str] | None = field(
        default=None,
        converter=optional(variables),
        metadata={"help": "NAME=VALUE,NAME=VALUE: more of the environment"},
    )
    env_file: Mapping[str, str] | None = field(
        default=None,
        converter=optional(environmentFile),
        metadata={"help": "a file of lines NAME=VALUE: more of the environment"},
    )
    volume: tuple[str, ...] | None = field(
        default=None,
        converter=optional(volumes),
        metadata={"help": "SOURCE:TARGET[:ro], with commas between: what is mounted"},
    )
    memory: int | None = field(
        default=None,
        converter=optional(memory),
        metadata={"help": "at most so much memory, as 512m"},
    )
    cpus: float | None = field(
        default=None,
        converter=optional(cpus),
        metadata={"help": "at most so many processors, as 1.5"},
    )
    network: str | None = field(
        default=None, converter=optional(word), metadata={"help": "the network it is in"}
    )
    user: str | None = field(
        default=None, converter=optional(word), metadata={"help": "who it runs as: USER[:GROUP]"}
    )
    stop_timeout: float | None = field(
        default=None,
        converter=optional(seconds),
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )
    edge: str | None = field(
        default=None,
        converter=optional(clientEndpoint),
        metadata={"help": "where a node in it dials the edge, a client endpoint"},
    )

    def environment(self, ours: Mapping[str, str]) -> list[str]:
        """
        @param ours: what brxy tells, which counts for more than what is in the
            options.
        @return: the environment of a container, as the API has it.
        """
        both = {**(self.env_file or {}), **(self.env or {}), **ours}
        return [f"{name}={value}" for name, value in both.items()]

    def patience(self, fronted: bool) -> int:
        """
        @param fronted: an app runs in it; else a node.
        @return: whole seconds between SIGTERM and SIGKILL.
        """
        if self.stop_timeout is not None:
            return ceil(self.stop_timeout)
        return _APP_STOP_TIMEOUT if fronted else _NODE_STOP_TIMEOUT
