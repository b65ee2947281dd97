"""
What the spawners that run something on this machine share.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import ISpawner, ISpawnerFactory

__all__ = ["CommandFactory", "LocalSpawner", "Running", "Stoppable", "lineLogger", "ownBinFirst"]


def ownBinFirst(environ: Mapping[str, str], executable: str = sys.executable) -> dict[str, str]:
    """
    An environment in which the folder of our own interpreter comes first on
    PATH: C{twistd} and C{python} are then those that run us.
    """
    own = os.path.dirname(executable)
    others = environ.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join([own, *(each for each in others if each != own)])
    return {**environ, "PATH": path}


def lineLogger(log: Logger, ticket: str) -> Callable[[int, bytes], None]:
    """
    @return: what logs each line of an instance's output.
    """

    def logLine(descriptor: int, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace")
        if not text.isprintable():
            # It may be a client's words that the app repeats.
            text = "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)
        log.info("{ticket}| {line}", ticket=ticket, line=text)

    return logLine


class Stoppable(Protocol):
    """
    What L{Running} holds.
    """

    def stop(self) -> None: ...


class Running:
    """
    All that one spawner has running.
    """

    def __init__(self) -> None:
        self._running: set[Stoppable] = set()
        self._stopping = False
        self._waiting: list[Deferred[None]] = []

    def check(self) -> None:
        """
        May something be started still?

        @raise SpawnFailed: everything is being stopped.
        """
        if self._stopping:
            raise SpawnFailed("the spawner was stopped")

    def add(self, what: Stoppable, over: Deferred[Any]) -> None:
        """
        Something was started.

        @param over: fires when it is gone; its result is passed on.
        """
        self._running.add(what)
        over.addCallback(self._remove, what)

    def stop(self) -> Deferred[None]:
        """
        Stop everything, for good.

        @return: fires when all is gone.
        """
        self._stopping = True
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        for what in list(self._running):
            what.stop()
        self._tell()
        return done

    def _remove(self, result: Any, what: Stoppable) -> Any:
        """
        It is gone.
        """
        self._running.discard(what)
        self._tell()
        return result

    def _tell(self) -> None:
        """
        Tell those that wait, if nothing runs any more.
        """
        if not self._running:
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)


class LocalSpawner:
    """
    Runs the same command on this machine for each instance.  How says a subclass,
    by C{spawn}.
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
        See L{ISpawner}.
        """
        return self._running.stop()


@implementer(ISpawnerFactory)
@frozen
class CommandFactory:
    """
    Makes spawners that run a command.

    @ivar make: makes one, of its options, the command and the reactor.
    """

    name: str
    summary: str
    options: type[Any]
    make: Callable[[Any, Sequence[str], Any], ISpawner]

    def create(self, options: Any, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if not command:
            raise BadSpawnSpec(f"{self.name}: needs a command after --")
        return self.make(options, command, reactor)
