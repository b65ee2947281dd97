"""
C{stay:} runs the app on this machine so that it outlives the edge: an edge
that was killed and is started again with the same C{--state-dir} finds the
app, which continues to serve.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import (
    Address,
    Gone,
    IInstance,
    IRecovering,
    ISpawner,
    ISpawnerFactory,
    SpawnOrder,
)
from brxy.readiness import waitUntilReady
from brxy.spawners.spec import seconds

HOST = "127.0.0.1"

# The variables in an app's environment by which this spawner recognizes it.
EDGE, TICKET = "STAY_EDGE", "STAY_TICKET"


@frozen
class Options:
    """
    The keys of C{stay:}.
    """

    stop_timeout: float = field(
        default=10.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )


@implementer(IInstance, IReadDescriptor)
class Process:
    """
    One app, leader of a session of its own.

    @ivar over: fires when it is gone.
    @param pidfd: becomes readable when it ends.
    @param child: the started process, if this edge has started it.
    """

    def __init__(
        self,
        reactor: Any,
        pid: int,
        pidfd: int,
        port: int,
        stop_timeout: float,
        child: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.ready: Deferred[Address] = Deferred()
        self.gone: Deferred[Gone] = Deferred()
        self.over: Deferred[None] = Deferred()
        self._reactor = reactor
        self._pid = pid
        self._pidfd = pidfd
        self._stop_timeout = stop_timeout
        self._child = child
        self._killing: IDelayedCall | None = None
        self._stopped = False
        self._waiting = waitUntilReady(reactor, HOST, port)
        self._waiting.addCallbacks(
            lambda _: self.ready.callback(Address(HOST, port)), self._cancelled
        )
        reactor.addReader(self)

    def _cancelled(self, failure: Failure) -> None:
        failure.trap(CancelledError)

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        if not self._stopped and not self.gone.called:
            self._stopped = True
            self._waiting.cancel()
            self._signal(signal.SIGTERM)
            self._killing = self._reactor.callLater(
                self._stop_timeout, self._signal, signal.SIGKILL
            )

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._pid, number)

    # See L{IReadDescriptor}

    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:
        return "stay"

    def connectionLost(self, reason: Failure) -> None:
        """
        Leave the app running when the edge ends.
        """

    def doRead(self) -> None:
        """
        Kill the processes that the app has started, now that the app has
        ended.
        """
        self._reactor.removeReader(self)
        os.close(self._pidfd)
        self._signal(signal.SIGKILL)
        status = None if self._child is None else self._child.wait()
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        self._waiting.cancel()
        self.gone.callback(Gone(describe(status)))
        self.over.callback(None)


def describe(status: int | None) -> str:
    """
    @return: how a process has ended, in a line.
    """
    if status is None:
        return "it has ended"
    return f"exit status {status}" if status >= 0 else f"killed by signal {-status}"


@implementer(ISpawner, IRecovering)
class StaySpawner:
    """
    Runs one more copy of the same app for each instance.
    """

    # No node dials in: every instance has an address.
    dials_back = False

    def __init__(self, options: Options, command: Sequence[str], reactor: Any) -> None:
        self._options = options
        self._command = command
        self._reactor = reactor
        self._processes: set[Process] = set()

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        with socket.create_server((HOST, 0)) as free:
            port = free.getsockname()[1]
        inherited = {**os.environ, **order.environment}
        environment = {
            **{name: value for name, value in inherited.items() if name[:5] != "BRXY_"},
            **{"HOST": HOST, "PORT": str(port), EDGE: order.edge, TICKET: order.ticket},
        }
        command = [each.replace("{port}", str(port)) for each in self._command]
        try:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SpawnFailed(f"cannot run {command[0]!r}: {error}") from error
        return self._keep(child.pid, os.pidfd_open(child.pid), port, child)

    def _keep(
        self, pid: int, pidfd: int, port: int, child: subprocess.Popen[bytes] | None = None
    ) -> Process:
        timeout = self._options.stop_timeout
        process = Process(self._reactor, pid, pidfd, port, timeout, child)
        self._processes.add(process)
        process.over.addCallback(lambda _: self._processes.discard(process))
        return process

    def stop(self) -> Deferred[Any]:
        """
        See L{ISpawner}.
        """
        processes = list(self._processes)
        for process in processes:
            process.stop()
        return gatherResults([over(process) for process in processes])

    def recover(self, edge: str, orders: Sequence[SpawnOrder]) -> Deferred[dict[str, IInstance]]:
        """
        See L{IRecovering}.
        """
        wanted = {order.ticket for order in orders}
        found: dict[str, IInstance] = {}
        removed = []
        for pid, pidfd, environment in leaders(edge):
            process = self._keep(pid, pidfd, int(environment["PORT"]))
            ticket = environment[TICKET]
            if ticket in wanted:
                found[ticket] = IInstance(process)
            else:
                process.stop()
                removed.append(over(process))
        return gatherResults(removed).addCallback(lambda _: found)


def over(process: Process) -> Deferred[None]:
    """
    @return: fires when a process is gone; several callers may wait for it.
    """
    told: Deferred[None] = Deferred()
    process.over.addCallback(lambda _: told.callback(None))
    return told


def leaders(edge: str) -> list[tuple[int, int, Mapping[str, str]]]:
    """
    @return: each app with the id of an edge in its environment: its process
        id, a descriptor of the process, its environment.
    """
    found: list[tuple[int, int, Mapping[str, str]]] = []
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        with suppress(OSError):
            # This comes first, so that what is read belongs to the same process.
            pidfd = os.pidfd_open(pid)
            environment = environmentOf(pid)
            if environment.get(EDGE) == edge and os.getsid(pid) == pid:
                found.append((pid, pidfd, environment))
            else:
                os.close(pidfd)
    return found


def environmentOf(pid: int) -> dict[str, str]:
    """
    @return: the environment of a process; C{{}} if we may not read it, or it
        has ended.
    """
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = (each.partition("=") for each in text.split("\0") if each)
    return {name: value for name, _, value in pairs}


@implementer(ISpawnerFactory)
class StayFactory:
    """
    Makes L{StaySpawner}s; the entry point names an instance of this.
    """

    name = "stay"
    summary = "runs the app here, where it outlives the edge"
    options = Options
    written_for = 1

    def create(self, options: Options, command: Sequence[str], reactor: Any) -> ISpawner:
        """
        See L{ISpawnerFactory}.
        """
        if not command:
            raise BadSpawnSpec("stay: needs a command after --")
        return StaySpawner(options, command, reactor)


factory = StayFactory()
