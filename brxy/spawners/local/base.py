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

    def stop(self) -> Deferred[None]:
        """
        See L{brxy.interfaces.ISpawner}.
        """
        return self._running.stop()
