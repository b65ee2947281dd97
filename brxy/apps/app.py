"""
One running app: a port for it, its process, the moment it answers, its end.

The node runs its app by this, and so does the spawner C{app:}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from brxy.apps.command import HOST, appCommand, appEnvironment
from brxy.errors import SpawnFailed
from brxy.interfaces import Address
from brxy.processes.child import Child, Ended
from brxy.processes.launch import Launched
from brxy.processes.ports import PORTS, Ports, isFree
from brxy.readiness import waitUntilReady
from brxy.wire.proxyheader import proxyHeader

__all__ = ["App"]


class App:
    """
    One copy of an app.  It never outlives this process.

    @ivar ready: fires with its L{Address} when it answers; never once it was
        asked to stop or has ended.
    @ivar ended: fires with L{Ended} when nothing of it is left.
    """

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        route: str,
        environ: Mapping[str, str],
        output: Callable[[int, bytes], None],
        *,
        port: int | None = None,
        ready_path: str | None = None,
        send_proxy: str | None = None,
        stop_timeout: float = 10.0,
        ports: Ports = PORTS,
    ) -> None:
        """
        @param environ: what the app's environment is made from, see
            L{appEnvironment}.
        @param output: called with 1 or 2 and each line that the app prints.
        @param port: where it listens; L{None}: a free port is found.
        @param ready_path: it is ready when a GET of this is answered by a
            status from 200 to 399; L{None}: when it accepts a connection.
        @param send_proxy: the version of the PROXY protocol that it expects; L{None}: it
            does not.
        @param stop_timeout: seconds between SIGTERM and SIGKILL.
        @param ports: where a free port comes from.
        """
        self.ready: Deferred[Address] = Deferred()
        self.ended: Deferred[Ended] = Deferred()
        self._reactor = reactor
        self._command = command
        self._route = route
        self._environ = environ
        self._output = output
        self._port = port
        self._ready_path = ready_path
        # A connection of our own.
        self._header = b"" if send_proxy is None else proxyHeader(send_proxy, None)
        self._stop_timeout = stop_timeout
        self._ports = ports
        self._child: Child | None = None
        self._last_resort: object = None
        self._readiness: Deferred[None] | None = None

    @property
    def pid(self) -> int:
        """
        The id of its process; 0 until it runs.
        """
        return 0 if self._child is None else self._child.pid

    @property
    def running(self) -> bool:
        """
        It was started, and has not ended.
        """
        return self._child is not None and not self.ended.called

    def start(self) -> None:
        """
        Start it.

        @raise SpawnFailed: it can't be started.
        """
        port = self._takePort()
        child = self._makeChild(port)
        try:
            child.start()
        except SpawnFailed:
            self._releasePort(port)
            raise
        self._await(child, port)

    def adopt(self, launched: Launched, port: int) -> None:
        """
        Take one that was started already, in place of L{start}.

        @param port: where it was told to listen.
        """
        child = self._makeChild(port)
        child.adopt(launched)
        self._await(child, port)

    def stop(self) -> None:
        """
        Ask it to end by SIGTERM, and see to it by SIGKILL later.  Does nothing
        when called again, or after the end.
        """
        self._cancelReadiness()
        if self._child is not None:
            self._child.stop(self._stop_timeout)

    def kill(self) -> None:
        """
        End it by SIGKILL now.
        """
        self._cancelReadiness()
        if self._child is not None:
            self._child.kill()

    def _makeChild(self, port: int) -> Child:
        """
        Its process.
        """
        return Child(
            self._reactor,
            appCommand(self._command, port, HOST, self._route),
            appEnvironment(self._environ, port, HOST, self._route),
            self._output,
            die_with_parent=True,
        )

    def _await(self, child: Child, port: int) -> None:
        """
        Wait for its answer, and for its end.
        """
        self._child = child
        # Whoever ends in a grace does not wait for it.
        self._last_resort = self._reactor.addSystemEventTrigger("after", "shutdown", child.kill)
        child.ended.addCallback(self._childEnded, port)
        self._readiness = waitUntilReady(self._reactor, HOST, port, self._ready_path, self._header)
        self._readiness.addCallbacks(
            lambda _: self.ready.callback(Address(HOST, port)), self._readinessCancelled
        )

    def _takePort(self) -> int:
        """
        @raise SpawnFailed: there is none, or someone else has the given one,
            who would be taken for the app.
        """
        if self._port is None:
            return self._ports.take()
        if not isFree(self._port, reuse=True):
            raise SpawnFailed(f"port {self._port} is taken already")
        return self._port

    def _releasePort(self, port: int) -> None:
        """
        Nobody listens at the port any more.
        """
        if self._port is None:
            self._ports.release(port)

    def _childEnded(self, result: Ended, port: int) -> None:
        """
        Nothing of it is left.
        """
        self._reactor.removeSystemEventTrigger(self._last_resort)
        self._cancelReadiness()
        self._releasePort(port)
        self.ended.callback(result)

    def _cancelReadiness(self) -> None:
        """
        From now on it doesn't matter whether it answers.
        """
        if self._readiness is not None:
            self._readiness.cancel()

    def _readinessCancelled(self, failure: Failure) -> None:
        """
        It ended, or was stopped, before it answered.
        """
        failure.trap(CancelledError)
