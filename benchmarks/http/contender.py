"""
The interface of a contender, which is one way to reach the origin.
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
    A requirement of a contender is missing. The text says which, and how to
    install it.
    """


def needs(program: str) -> None:
    """
    Check that a program is installed. Debian's package has the same name.

    @raise Missing: it is not.
    """
    if shutil.which(program) is None:
        raise Missing(f"needs {program} (apt install {program})")


@frozen
class Site:
    """
    The environment in which contenders are started.

    @ivar origin: the port of the origin.
    @ivar clients: the number of clients that they must be able to serve at
        once.
    """

    servers: Servers
    origin: int
    clients: int

    @property
    def folder(self) -> Path:
        """
        The folder for their files.
        """
        return self.servers.folder

    def start(self, name: str, parts: Mapping[str, Sequence[str]], port: int) -> Running:
        """
        Start the processes of a contender.

        @param parts: the command of each process, by name.
        @param port: the port at which the contender will answer.
        """
        processes = {
            part: self.servers.start(f"{name}-{part}", command) for part, command in parts.items()
        }
        return Running(name, port, processes)


@frozen(eq=False)
class Running:
    """
    A contender that has been started.

    @ivar parts: its processes whose CPU and memory are measured.
    """

    name: str
    port: int
    parts: Mapping[str, Process]


@frozen
class Contender:
    """
    One way to reach the origin.

    @ivar title: its name in tables and plots.
    @ivar reference: the contender that its CPU is compared to.
    @ivar holder: starts one that accepts clients and lets them wait, if it
        can.
    """

    name: str
    title: str
    reference: str | None
    launch: Callable[[str, Site], Running]
    holder: Callable[[str, Site], Running] | None = None
