"""
The base of the spawners that run a command on this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from brxy.errors import SpawnFailed
from brxy.processes.launch import findExecutable
from brxy.processes.place import HERE, Place
from brxy.spawners.running import Running

__all__ = ["LocalSpawner", "ownBinFirst"]


def ownBinFirst(environ: Mapping[str, str], executable: str = sys.executable) -> dict[str, str]:
    """
    Return an environment in which the folder of this interpreter comes first on PATH, so
    that C{twistd} and C{python} are those that run the edge.
    """
    own = os.path.dirname(executable)
    others = environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join([own, *(each for each in others if each != own)])
    return {**environ, "PATH": path}


class LocalSpawner:
    """
    Runs the same command on this machine for each instance.  A subclass implements
    C{spawn}.
    """

    _log = Logger()

    def __init__(
        self,
        options: Any,
        command: Sequence[str],
        reactor: Any,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._options = options
        self._command = command
        self._reactor = reactor
        self._environ = environ
        self._running = Running()
        self.checkCommand(command, ownBinFirst(environ), HERE)

    def checkCommand(
        self, command: Sequence[str], environment: Mapping[str, str], place: Place
    ) -> None:
        """
        Log it at the start of the edge if a command can't be run.  It may be installed later.
        """
        try:
            if command and "{" not in command[0]:
                findExecutable(command[0], environment, place)
        except SpawnFailed as error:
            self._log.warn("{error}; every start fails until it is there", error=error)

    def stop(self) -> Deferred[None]:
        """
        See L{brxy.interfaces.ISpawner}.
        """
        return self._running.stop()
