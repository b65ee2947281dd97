"""
What C{ssh:} can be told.
"""

from __future__ import annotations

import os
import re

from attrs import field, frozen
from attrs.converters import optional

from brxy.spawners.spec import portNumber, positiveInt, seconds

__all__ = ["SshOptions"]

# A name, an address or a Host of ssh's configuration, with a user before it if
# need be; what begins with "-" would be an option.
_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]*")


def _hosts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not all(map(_HOST.fullmatch, names)) or len(set(names)) < len(names):
        raise ValueError("names of different hosts are needed, with commas between them")
    return names


def _user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError("the name of a user is needed")
    return text


def _file(text: str) -> str:
    path = os.path.abspath(os.path.expanduser(text))
    try:
        with open(path, "rb"):
            return path
    except OSError as error:
        raise ValueError(error.strerror) from None


@frozen
class SshOptions:
    """
    The keys of C{ssh:}.
    """

    host: tuple[str, ...] = field(
        converter=_hosts,
        metadata={"help": "where to run it, as ssh itself takes it; several with commas"},
    )
    per_host: int | None = field(
        default=None,
        converter=optional(positiveInt),
        metadata={"help": "instances on a host at most; hosts are then filled in their order"},
    )
    user: str | None = field(
        default=None,
        converter=optional(_user),
        metadata={"help": "the user there, else as ssh's configuration says"},
    )
    port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "the port of the sshd there, else as ssh's configuration says"},
    )
    key: str | None = field(
        default=None,
        converter=optional(_file),
        metadata={"help": "a file with the private key to use, and no other"},
    )
    config: str | None = field(
        default=None,
        converter=optional(_file),
        metadata={"help": "a file to use in place of ssh's own configuration"},
    )
    connect_timeout: float = field(
        default=10.0,
        converter=seconds,
        metadata={"help": "seconds until a host counts as not to be reached"},
    )
    # As for process: a node finishes what runs within its --drain-timeout.
    stop_timeout: float = field(
        default=30.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL over there"},
    )
