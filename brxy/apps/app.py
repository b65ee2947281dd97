"""
One running app: its port, its process, its readiness and its end.

A node runs its app with this, and so does the spawner C{app:}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from brxy.apps.checks import Checks
from brxy.apps.command import HOST, appCommand, appEnvironment
from brxy.apps.listening import listeners, sessionMembers
from brxy.apps.settings import AppSettings
from brxy.errors import SpawnFailed
from brxy.interfaces import Address
from brxy.processes.child import Child, Ended
from brxy.processes.launch import Launched
from brxy.processes.ports import PORTS, Ports
from brxy.processes.signalnames import signalNumber

__all__ = ["App"]


# Seconds until a look at where an app listens that is not ready.
_FIRST_LOOK = 3.0


class App:
    """
    One copy of an app.  It never outlives this process.

    @ivar ready: fires with its L{Address} when it answers; never after it was stopped
        or has ended.
    @ivar ended: fires with L{Ended} when nothing of it is left.
    """

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        route: str,
        environ: Mapping[str, str],
        output: Callable[[int, bytes], None],
        settings: AppSettings,
        *,
        progress: Callable[[int, bytes], None] | None = None,
        report: Callable[[str], None] = lambda what: None,
        ports: Ports = PORTS,
    ) -> None:
        """
        @param environ: what the app's environment is made from, see
            L{appEnvironment}.
        @param output: called with 1 or 2 and each line that the app prints.
        @param progress: likewise with lines that have no end yet, see L{Child}.
        @param report: called with what is lacking while it is not ready, see L{Checks}.
        @param ports: where a free port comes from.
        """
        self.ready: Deferred[Address] = Deferred()
        self.ended: Deferred[Ended] = Deferred()
        self._reactor = reactor
        self._command = command
        self._route = route
        self._environ = environ
        self._output = output
        self._progress = progress
        self._settings = settings
        self._report = report
        self._ports = ports
        self._child: Child | None = None
        self._last_resort: object = None
        self._checks: Checks | None = None
        self._readiness: Deferred[str] | None = None
        self._looking: IDelayedCall | None = None

    @property
    def pid(self) -> int:
        """
        The id of its process; 0 until it runs.
        """
        return 0 if self._child is None else self._child.pid

    @property
    def lacking(self) -> str:
        """
        Why the app is not ready, in words for a log; C{""} if it is ready, or was not started.
        """
        if self.ready.called or self._checks is None:
            return ""
        return self._checks.lacking

    @property
    def running(self) -> bool:
        """
        It was started, and has not ended.
        """
        return self._child is not None and not self.ended.called

    def start(self) -> None:
        """
        Start the app.

        @raise SpawnFailed: it can't be started.
        """
        port = self._takePort()
        child = self._makeChild(port)
        try:
            child.start()
        except SpawnFailed:
            self._ports.release(port)
            raise
        self._await(child, port)

    def adopt(self, launched: Launched, port: int) -> None:
        """
        Take over an app that was started before, in place of L{start}.

        @param port: where it listens.
        """
        child = self._makeChild(port)
        child.adopt(launched)
        self._await(child, port)

    def stop(self) -> None:
        """
        End it with its signal, and with SIGKILL after C{stop_timeout}.  Does nothing when
        called again, or after the end.
        """
        self._cancelReadiness()
        if self._child is not None:
            self._child.stop(self._settings.stop_timeout)

    def kill(self) -> None:
        """
        End it with SIGKILL now.
        """
        self._cancelReadiness()
        if self._child is not None:
            self._child.kill()

    def _makeChild(self, port: int) -> Child:
        """
        @return: its process, not started yet.
        """
        settings, around = self._settings, self._settings.surroundings
        return Child(
            self._reactor,
            appCommand(self._command, port, HOST, self._route),
            appEnvironment(self._environ, port, HOST, self._route, around),
            self._line,
            die_with_parent=True,
            place=around.place,
            stop_signal=signalNumber(settings.stop_signal),
            progress=self._progress,
        )

    def _await(self, child: Child, port: int) -> None:
        """
        Wait until it is ready, and for its end.
        """
        self._child = child
        # If the reactor ends before the app has, for lack of time, the app is killed.
        self._last_resort = self._reactor.addSystemEventTrigger("after", "shutdown", child.kill)
        child.ended.addCallback(self._childEnded, port)
        self._checks = Checks(
            self._reactor,
            self._settings,
            self._route,
            self._environ,
            port,
            self._command,
            lambda: listeners([*sessionMembers(child.pid), *child.strays()]),
            self._report,
        )
        self._lookLater(_FIRST_LOOK)
        self._readiness = Deferred.fromCoroutine(self._checks.wait())
        self._readiness.addCallbacks(
            lambda host: self._isReady(Address(host, port)), self._readinessCancelled
        )

    def _isReady(self, address: Address) -> None:
        """
        All checks have succeeded.
        """
        self._lookNoMore()
        self.ready.callback(address)

    def _line(self, descriptor: int, line: bytes) -> None:
        """
        It printed a line.
        """
        if self._checks is not None:
            self._checks.line(line)
        self._output(descriptor, line)

    def _takePort(self) -> int:
        """
        @raise SpawnFailed: no port is free, or the given one is taken.
        """
        if self._settings.port is None:
            return self._ports.take()
        self._ports.claim(self._settings.port)
        return self._settings.port

    def _childEnded(self, result: Ended, port: int) -> None:
        """
        Nothing of it is left.
        """
        self._reactor.removeSystemEventTrigger(self._last_resort)
        self._cancelReadiness()
        self._ports.release(port)
        assert self._checks is not None
        over = self._checks.over()
        over.addCallback(lambda _: self.ended.callback(result))

    def _lookLater(self, delay: float) -> None:
        """
        Find out where it listens if it is not ready in time, later each time.
        """

        def look() -> None:
            self._looking = None
            if self._checks is not None and not self.ready.called:
                self._checks.look()
                self._lookLater(2 * delay)

        self._looking = self._reactor.callLater(delay, look)

    def _lookNoMore(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _cancelReadiness(self) -> None:
        """
        Stop waiting for its readiness.
        """
        if self._looking is not None and self._checks is not None:
            # Its processes are not there any more when the reason is needed.
            self._checks.look()
        self._lookNoMore()
        if self._readiness is not None:
            self._readiness.cancel()

    def _readinessCancelled(self, failure: Failure) -> None:
        """
        It ended, or was stopped, before it was ready.
        """
        failure.trap(CancelledError)
