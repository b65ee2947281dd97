"""
The keys of C{ssh:}.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from attrs import field, frozen
from attrs.converters import optional

from brxy.spawners.spec import portNumber, positiveInt, seconds
from brxy.values.converters import listed

__all__ = ["SshOptions"]

# A name, an address or a Host of ssh's configuration, and optionally a user before it.
# What begins with "-" would be an option.
_HOST = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]*")


def _hosts(given: str | Sequence[str]) -> tuple[str, ...]:
    names = listed(given)
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
        metadata={
            "help": "the host, as ssh itself takes it; several with commas between",
            "form": "list",
        },
    )
    per_host: int | None = field(
        default=None,
        converter=optional(positiveInt),
        metadata={"help": "the highest number of instances on a host; hosts fill in order"},
    )
    user: str | None = field(
        default=None,
        converter=optional(_user),
        metadata={"help": "the user on the host, else that of ssh's configuration"},
    )
    port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "the port of the host's sshd, else that of ssh's configuration"},
    )
    key: str | None = field(
        default=None,
        converter=optional(_file),
        metadata={"help": "a file with the only private key to use"},
    )
    config: str | None = field(
        default=None,
        converter=optional(_file),
        metadata={"help": "a file that replaces ssh's own configuration"},
    )
    connect_timeout: float = field(
        default=10.0,
        converter=seconds,
        metadata={"help": "seconds to connect to a host"},
    )
    # As for process: a node finishes its exchanges within its --drain-timeout.
    stop_timeout: float = field(
        default=30.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL on the host"},
    )
