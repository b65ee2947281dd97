"""
Edges of trials, and what trials find.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.capacity.catalogue import APPS
from benchmarks.http.servers import Servers, freePort

__all__ = ["Edge", "Outcome", "gunicorn", "startEdge"]

# Instances stay for a whole trial.
_STAY = ["--idle-timeout", "86400", "--old-idle-timeout", "86400"]


@frozen
class Outcome:
    """
    What a trial found.

    @ivar expected: what must be so.
    """

    name: str
    expected: str
    found: str
    good: bool


@frozen
class Edge:
    """
    An edge that was started, before instances of an app.
    """

    port: int
    journal: Path


def startEdge(
    servers: Servers, name: str, app: Sequence[str], keys: str, options: Sequence[str] = ()
) -> Edge:
    """
    Start an edge.

    @param app: the command of the app.
    @param keys: of the spawn string.
    """
    port = freePort()
    journal = servers.folder / f"journal-{name}"
    spawn = f"app: {keys} cwd={APPS} env=JOURNAL={journal} -- {shlex.join(app)}"
    command = [sys.executable, "-m", "brxy.edge", "-p", f"tcp:{port}:interface=127.0.0.1"]
    command += [*_STAY, "--max-held", "100000", "--spawn", spawn, *options]
    process = servers.start(name, command)
    servers.waitUntilListening(port, [process])
    return Edge(port, journal)


def gunicorn(python: str, options: str) -> list[str]:
    """
    @return: the command that starts gunicorn.
    """
    bind = ["-b", "127.0.0.1:{port}", *options.split()]
    return [python, "-m", "gunicorn", "--no-control-socket", *bind, "wsgiapp:app"]
