"""
What a contender is: one way to reach the origin.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.http.servers import Process, Servers

__all__ = ["Contender", "Missing", "Running", "Site", "needs"]


class Missing(Exception):
    """
    What a contender needs is not there.  Its text says what, and how to get it.
    """


def needs(program: str) -> None:
    """
    See that there is a program; Debian's package has the same name.

    @raise Missing: there is none.
    """
    if shutil.which(program) is None:
        raise Missing(f"{program} is not there (apt install {program})")


@frozen
class Site:
    """
    Where contenders are started.

    @ivar origin: the port of the origin.
    @ivar clients: so many at once they must have room for.
    """

    servers: Servers
    origin: int
    clients: int

    @property
    def folder(self) -> Path:
        """
        For their files.
        """
        return self.servers.folder

    def start(self, name: str, parts: Mapping[str, Sequence[str]], port: int) -> Running:
        """
        Start the processes of a contender.

        @param parts: by name, what to run.
        @param port: where the contender will answer.
        """
        processes = {
            part: self.servers.start(f"{name}-{part}", command) for part, command in parts.items()
        }
        return Running(name, port, processes)


@frozen(eq=False)
class Running:
    """
    A contender that has been started.

    @ivar parts: its processes, those whose CPU and memory count.
    """

    name: str
    port: int
    parts: Mapping[str, Process]


@frozen
class Contender:
    """
    One way to reach the origin.

    @ivar title: its name for people.
    @ivar reference: the contender that its CPU is compared to.
    @ivar holder: starts one that accepts clients and lets them wait, if it can.
    """

    name: str
    title: str
    reference: str | None
    launch: Callable[[str, Site], Running]
    holder: Callable[[str, Site], Running] | None = None
