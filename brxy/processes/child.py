"""
One child process and the group that it leads: started, its output read, and its end
enforced.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.errors import SpawnFailed
from brxy.processes.background import advice, nameOf
from brxy.processes.family import Family
from brxy.processes.groups import ExitReader
from brxy.processes.launch import Launch, Launched
from brxy.processes.launcher import LAUNCHER, Launcher
from brxy.processes.place import HERE, Place
from brxy.processes.printed import Printed
from brxy.processes.signalnames import signalName
from brxy.values.text import oneLine

__all__ = ["Child", "Ended"]

# The status by which shells say that a program was found and can't be run.
_CANNOT_RUN = 126

# How much of the name of a program is worth showing, in characters.
_MAX_NAME = 200

# Seconds between two checks of what is left of a group: the first and longest
# while it is being stopped, and the longest while it is left alone.
_FIRST_CHECK = 0.005
_LONGEST_CHECK = 0.5
_IDLE_CHECK = 5.0

# Seconds after SIGKILL until a process that the kernel can't end is given up.
_GIVE_UP = 1.0


@frozen
class Ended:
    """
    How a process ended.

    @ivar status: its exit status; L{None} if a signal killed it.
    @ivar signal: the number of that signal; L{None} if it exited.
    @ivar last_line: the last line that says why it failed, on its standard error, or
        on its standard output if it printed none there; printable, and short.
    @ivar background: what went on in the background and was killed, and what to do about
        it; empty if nothing did, or if it was left there.
    """

    status: int | None
    signal: int | None
    last_line: str = ""
    background: str = ""

    def describe(self) -> str:
        """
        @return: one line for a log.
        """
        if self.signal is not None:
            return f"killed by {signalName(self.signal)}"
        if self.status and self.last_line:
            return f"exit status {self.status}: {self.last_line}"
        if self.background:
            return f"exit status {self.status}, but {self.background}"
        return f"exit status {self.status}"


class Child:
    """
    A process that leads its own session and group, with the rest of the group, and with
    those of its descendants that have left the group if it is to die with its parent.

    When the leader has ended, what is left is ended too: by SIGKILL at once if the leader
    ended by itself, or within the timeout of L{stop}.

    @ivar pid: the leader's id, which is the group's as well; 0 until it runs.
    @ivar ended: fires with L{Ended} when the leader is reaped and nothing is
        left of its group.
    @ivar left: the leader exited with status 0 by itself, and C{leave_on_success} was
        given: the rest of its group was left alone, and its output is still read.
        C{ended} has fired then without waiting for the rest.
    @ivar emptied: fires with L{None} when nothing is left of the group: with
        C{ended}, or later if the group was left alone.
    @param environment: all of the process's environment.
    @param output: called with 1 or 2, for standard output or error, and a
        line without its end; lines over 8 KiB come in pieces.
    @param progress: likewise, with each line that has no end yet and is written over, see
        L{Printed}.
    @param die_with_parent: the kernel ends the leader when this process dies, even by
        SIGKILL.
    @param leave_on_success: see C{left}.
    @param stdin: see L{Launch}.
    @param place: see L{Launch}.
    @param stop_signal: the signal by which L{stop} has the group end.
    @param launcher: what starts the process.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        argv: Sequence[str],
        environment: Mapping[str, str],
        output: Callable[[int, bytes], None],
        *,
        die_with_parent: bool,
        leave_on_success: bool = False,
        stdin: int | None = None,
        place: Place = HERE,
        stop_signal: int = signal.SIGTERM,
        progress: Callable[[int, bytes], None] | None = None,
        launcher: Launcher = LAUNCHER,
    ) -> None:
        self.pid = 0
        self.left = False
        self.ended: Deferred[Ended] = Deferred()
        self.emptied: Deferred[None] = Deferred()
        self._reactor = reactor
        self._argv = argv
        self._environment = environment
        self._printed = Printed(reactor, output, progress)
        self._die_with_parent = die_with_parent
        self._leave_on_success = leave_on_success
        self._stdin = stdin
        self._place = place
        self._stop_signal = stop_signal
        self._launcher = launcher
        self._started = False
        self._stopping = False
        self._killed_at: float | None = None
        self._kill_call: IDelayedCall | None = None
        self._check_call: IDelayedCall | None = None
        self._interval = _FIRST_CHECK
        self._family: Family | None = None
        self._result: Ended | None = None
        self._empty = False

    def start(self) -> None:
        """
        Start the process.  It runs a little later, and can be stopped until then.

        @raise brxy.errors.SpawnFailed: it can't be started.  C{ended} reports what only
            the attempt to run it shows.
        """
        launch = Launch(
            self._argv, self._environment, self._die_with_parent, self._stdin, self._place
        )
        self._started = True
        launched = self._launcher.start(self._reactor, launch)
        launched.addCallbacks(self._watch, self._notLaunched)
        launched.addErrback(lambda failure: self._log.failure("while starting", failure))

    def adopt(self, launched: Launched) -> None:
        """
        Take over a process that runs already, in place of L{start}.
        """
        self._started = True
        self._watch(launched)

    def strays(self) -> list[int]:
        """
        @return: the ids of its processes that have left the leader's group.
        """
        return [] if self._family is None else self._family.strays()

    def stop(self, timeout: float) -> None:
        """
        Signal the group to end, and send SIGKILL after C{timeout} seconds.  Does nothing
        when called again, or after the end.
        """
        if self._stopping or not self._alive():
            return
        self._stopping = True
        self._signal(self._stop_signal)
        self._kill_call = self._reactor.callLater(timeout, self.kill)
        self._checkSoon()

    def kill(self) -> None:
        """
        Send SIGKILL to the group now.
        """
        if not self._alive():
            return
        self._stopping = True
        if self._killed_at is None:
            self._killed_at = self._reactor.seconds()
        self._signal(signal.SIGKILL)
        self._checkSoon()

    def _alive(self) -> bool:
        """
        Whether there is anything to stop.
        """
        return self._started and not self._empty

    def _watch(self, launched: Launched) -> None:
        """
        The process runs.
        """
        self.pid = launched.pid
        self._family = Family(launched)
        self._printed.read(launched)
        watch = ExitReader(self._reactor, self.pid, launched.pidfd, self._leaderEnded)
        self._reactor.addReader(watch)
        if self._stopping:
            self._signal(self._stop_signal if self._killed_at is None else signal.SIGKILL)

    def _notLaunched(self, failure: Failure) -> None:
        """
        The kernel refused to run it.
        """
        failure.trap(SpawnFailed)
        self._result = Ended(_CANNOT_RUN, None, failure.getErrorMessage())
        self._finish()

    def _signal(self, number: int) -> None:
        """
        Signal the group, or all that belongs to it, unless it does not run yet.
        """
        if self._family is None:
            return
        if number == signal.SIGKILL:
            self._family.kill()
        else:
            self._family.signalGroup(number)

    def _leaderEnded(self, code: int) -> None:
        """
        The leader was reaped.

        @param code: its status, or the negative number of a signal.
        """
        self._printed.drain()
        status, number = (None, -code) if code < 0 else (code, None)
        assert self._family is not None
        self._family.led = False
        background = ""
        if self._leave_on_success and code == 0 and not self._stopping:
            self.left = True
        elif not self._stopping:
            self._killed_at = self._reactor.seconds()
            background = self._inBackground() if code == 0 else ""
        elif self._killed_at is None:
            # The group got it already.
            self._family.signalStrays(self._stop_signal)
        self._result = result = Ended(status, number, self._printed.last_line, background)
        if self.left:
            self.ended.callback(result)
        self._check()

    def _inBackground(self) -> str:
        """
        Say what the leader left behind.
        """
        assert self._family is not None
        with suppress(OSError):
            for pid in [*self._family.strays(), *self._family.members()]:
                if name := oneLine(nameOf(pid), _MAX_NAME):
                    return f"{name} went on in the background; {advice(self._argv, name)}"
        return ""

    def _check(self) -> None:
        """
        Check what is left, and check again later if anything is.
        """
        self._check_call = None
        assert self._family is not None
        try:
            left = self._family.members()
        except OSError:
            # Out of descriptors: what is left will be known later.
            self._checkLater()
            return
        if not left:
            self._finish()
        elif self._killed_at is None:
            self._checkLater()
        elif self._reactor.seconds() - self._killed_at < _GIVE_UP:
            # Once more: a process that was just being forked may have been missed.
            self._family.kill()
            self._checkLater()
        else:
            self._log.warn("SIGKILL did not end all of process group {pid}", pid=self.pid)
            self._finish()

    def _checkLater(self) -> None:
        """
        Check the group again, after longer each time.
        """
        longest = _LONGEST_CHECK if self._stopping or not self.left else _IDLE_CHECK
        self._check_call = self._reactor.callLater(self._interval, self._check)
        self._interval = min(2 * self._interval, longest)

    def _checkSoon(self) -> None:
        """
        A signal was sent to the group: check soon.  While the leader runs there is
        nothing to check.
        """
        self._interval = _FIRST_CHECK
        if self._check_call is not None:
            self._check_call.reset(_FIRST_CHECK)

    def _finish(self) -> None:
        """
        Nothing is left of the group.
        """
        self._empty = True
        if self._family is not None:
            self._family.close()
        if self._kill_call is not None:
            with suppress(AlreadyCalled, AlreadyCancelled):
                self._kill_call.cancel()
        self._printed.drain()
        # A process that left the group may still write; if it was to be left alone, a
        # closed pipe must not end it.
        if self._stopping or not self.left:
            self._printed.close()
        if not self.left:
            assert self._result is not None
            self.ended.callback(self._result)
        self.emptied.callback(None)
