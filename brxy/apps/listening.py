"""
Finds the addresses on which processes listen: see proc(5), C{/proc/net/tcp} and C{/proc/pid/fd}.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import NamedTuple

__all__ = ["Listener", "listeners", "sessionMembers"]

_LISTENING = "0A"


class Listener(NamedTuple):
    """
    An address on which a server accepts TCP connections.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def sessionMembers(leader: int) -> list[int]:
    """
    @return: the processes of a session.
    """
    found = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def listeners(pids: Iterable[int]) -> list[Listener]:
    """
    @return: where these processes listen, as far as this process may see that.
    """
    found: set[Listener] = set()
    for pid in pids:
        inodes = set(_sockets(pid))
        for table in ("tcp", "tcp6") if inodes else ():
            found.update(each for inode, each in _table(pid, table) if inode in inodes)
    return sorted(found, key=lambda each: (each.port, each.host))


def _sockets(pid: int) -> Iterator[str]:
    folder = f"/proc/{pid}/fd"
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(folder)
    for name in names:
        with suppress(OSError):
            kind, _, rest = os.readlink(f"{folder}/{name}").partition(":[")
            if kind == "socket":
                yield rest.rstrip("]")


def _table(pid: int, name: str) -> Iterator[tuple[str, Listener]]:
    """
    @return: the listening sockets in the network of a process, with their inodes.
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/net/{name}").read_text("ascii").splitlines()[1:]
    for line in lines:
        _, local, _, state, _, _, _, _, _, inode, *_ = line.split()
        if state == _LISTENING:
            host, _, port = local.partition(":")
            yield inode, Listener(_address(host), int(port, 16))


def _address(text: str) -> str:
    # Words of 32 bits, in the byte order of this machine: little-endian nearly everywhere.
    words = [text[start : start + 8] for start in range(0, len(text), 8)]
    packed = b"".join(bytes.fromhex(word)[::-1] for word in words)
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))
