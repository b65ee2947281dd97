"""
The keys of the spawners that run containers, and their converters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil, isfinite

from attrs import field, frozen
from attrs.converters import optional

from brxy.processes.environment import environmentFile, variables
from brxy.reactor.endpoints import clientEndpoint
from brxy.spawners.spec import seconds
from brxy.values.converters import listed, size

__all__ = [
    "ContainerOptions",
    "image",
    "memory",
    "oneOf",
    "volumes",
    "word",
]

# See the grammar of a reference in the specification of registries.  For what this lets
# through, the message of the daemon is worse.
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
_WORD = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.:-]*")

# Bytes; the daemon accepts no less.
_LEAST_MEMORY = 6 << 20

# Seconds.  A node finishes its exchanges within its --drain-timeout, 25 s.
_NODE_STOP_TIMEOUT = 30
_APP_STOP_TIMEOUT = 10


def image(text: str) -> str:
    """
    Convert the name of an image, as C{docker run} takes it.

    @raise ValueError: it is not a name of an image.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError("the name of an image is needed, as nginx:1.25")
    return text


def word(text: str) -> str:
    """
    Convert a name that the daemon knows, such as of a network or a user.

    @raise ValueError: it is not a name.
    """
    if not _WORD.fullmatch(text):
        raise ValueError("a name is needed")
    return text


def memory(text: str) -> int:
    """
    Convert an amount of memory, such as C{512m}, to bytes.

    @raise ValueError: it is not an amount, or too little for a container.
    """
    amount = size(text)
    if amount < _LEAST_MEMORY:
        raise ValueError("6m is the least")
    return amount


def cpus(text: str) -> float:
    """
    Convert a number of processors, such as C{1.5}.

    @raise ValueError: it is not a number of processors.
    """
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (isfinite(number) and number >= 0.01):
        raise ValueError("a number of processors is needed, as 1.5")
    return number


def volumes(given: str | Sequence[str]) -> tuple[str, ...]:
    """
    Convert C{SOURCE:TARGET} or C{SOURCE:TARGET:ro}, or several of these: with commas between,
    or as a sequence.  The source is a path or the name of a volume.

    @raise ValueError: it is something else.
    """
    found = listed(given)
    for each in found:
        source, _, rest = each.partition(":")
        target, _, mode = rest.partition(":")
        named = source.startswith("/") or _WORD.fullmatch(source)
        if not named or not target.startswith("/") or mode not in ("", "ro", "rw"):
            raise ValueError("SOURCE:TARGET or SOURCE:TARGET:ro is needed, the target a path")
    return found


def oneOf(text: str, *choices: str) -> str:
    """
    Check that a text is one of some choices.

    @raise ValueError: it is not.
    """
    if text not in choices:
        raise ValueError(f"{', '.join(choices[:-1])} or {choices[-1]} is needed")
    return text


@frozen(kw_only=True)
class ContainerOptions:
    """
    The keys that C{docker:} and C{swarm:} share.
    """

    image: str = field(converter=image, metadata={"help": "the image, as docker run takes it"})
    env: Mapping[str, str] | None = field(
        default=None,
        converter=optional(variables),
        metadata={"help": "NAME=VALUE,NAME=VALUE: additions to the environment", "form": "table"},
    )
    env_file: Mapping[str, str] | None = field(
        default=None,
        converter=optional(environmentFile),
        metadata={
            "help": "a file of lines NAME=VALUE or NAME: additions to the environment",
            "is_file": True,
        },
    )
    volume: tuple[str, ...] | None = field(
        default=None,
        converter=optional(volumes),
        metadata={
            "help": "SOURCE:TARGET[:ro], with commas between: volumes to mount",
            "form": "list",
        },
    )
    memory: int | None = field(
        default=None,
        converter=optional(memory),
        metadata={"help": "the memory limit, such as 512m"},
    )
    cpus: float | None = field(
        default=None,
        converter=optional(cpus),
        metadata={"help": "the limit of processors, such as 1.5"},
    )
    network: str | None = field(
        default=None, converter=optional(word), metadata={"help": "the network to join"}
    )
    user: str | None = field(
        default=None,
        converter=optional(word),
        metadata={"help": "the user it runs as: USER[:GROUP]"},
    )
    stop_timeout: float | None = field(
        default=None,
        converter=optional(seconds),
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )
    edge: str | None = field(
        default=None,
        converter=optional(clientEndpoint),
        metadata={"help": "the client endpoint at which a node in a container dials the edge"},
    )

    def environment(self, ours: Mapping[str, str]) -> list[str]:
        """
        Return the environment of a container, in the form of the API.

        @param ours: the variables that brxy sets, which override those of the options.
        """
        both = {**(self.env_file or {}), **(self.env or {}), **ours}
        return [f"{name}={value}" for name, value in both.items()]

    def stopTimeout(self, fronted: bool) -> int:
        """
        Return the whole seconds between SIGTERM and SIGKILL.

        @param fronted: an app runs in the container, and no node.
        """
        if self.stop_timeout is not None:
            return ceil(self.stop_timeout)
        return _APP_STOP_TIMEOUT if fronted else _NODE_STOP_TIMEOUT
