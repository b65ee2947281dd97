"""
Finds the process that has a port, a socket or a lock, for messages, from what Linux shows in
C{/proc}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

from attrs import frozen

__all__ = ["Owner", "lockOwner", "portOwner", "socketOwner"]

_PROC = Path("/proc")

# The state of a listening TCP socket, see proc(5).
_LISTENS = "0A"


@frozen
class Owner:
    """
    A process.

    @ivar name: of its program; C{"another brxy-edge"} for an edge.
    """

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


def portOwner(port: int) -> Owner | None:
    """
    @return: the process that listens on a TCP port; L{None} if it is not known, as that of
        another user.
    """
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in _lines(_PROC / "net" / table):
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return _having(lambda path: os.readlink(path) in inodes) if inodes else None


def socketOwner(path: str) -> Owner | None:
    """
    @return: the process that listens on a Unix socket.
    """
    inodes = set()
    for line in _lines(_PROC / "net" / "unix"):
        fields = line.split(maxsplit=7)
        if len(fields) == 8 and fields[7] == path:
            inodes.add(f"socket:[{fields[6]}]")
    return _having(lambda path: os.readlink(path) in inodes) if inodes else None


def lockOwner(locked: os.stat_result) -> Owner | None:
    """
    @param locked: of a file or folder.
    @return: the process that has locked it by C{flock}.
    """

    def matches(path: str) -> bool:
        if not os.path.samestat(os.stat(path), locked):
            return False
        return "FLOCK" in Path(path.replace("/fd/", "/fdinfo/")).read_text()

    return _having(matches)


def _lines(table: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from table.read_text().splitlines()[1:]


def _having(matches: Callable[[str], bool]) -> Owner | None:
    """
    @return: the first process with a descriptor that matches.
    """
    for pid in filter(str.isdigit, os.listdir(_PROC)):
        # Processes end meanwhile, and those of others can't be read.
        with suppress(OSError):
            for descriptor in os.listdir(_PROC / pid / "fd"):
                with suppress(OSError):
                    if matches(f"{_PROC}/{pid}/fd/{descriptor}"):
                        return Owner(int(pid), _name(_PROC / pid))
    return None


def _name(process: Path) -> str:
    words = (process / "cmdline").read_bytes().split(b"\0")
    # twistd brxy-edge, python -m brxy.edge, and brxy edge or brxy run.
    command = any(
        os.path.basename(program) == b"brxy" and word in (b"edge", b"run")
        for program, word in pairwise(words)
    )
    if command or b"brxy-edge" in words or b"brxy.edge" in words:
        return "another brxy-edge"
    return (process / "comm").read_text().strip()
