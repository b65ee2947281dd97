"""
A connection to a host, which OpenSSH's client holds open for all instances there.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from brxy.errors import SpawnFailed
from brxy.processes.child import Child, Ended
from brxy.processes.pipes import PipeWriter
from brxy.spawners.ssh.client import SshClient, explain
from brxy.spawners.ssh.remote import MADE
from brxy.values.text import oneLine

__all__ = ["SshLink", "Piped"]

# By default an sshd lets ten sessions share a connection (MaxSessions); one of them holds
# the folder.
_MOST_SESSIONS = 9

# Seconds for a login, a folder and a forwarding after the connect timeout.
_SETTLE = 15.0

# Seconds for the other side to remove its folder, before the connection is cut.
_PARTING = 3.0

# Lines of ssh that are kept; the message about a changed host key has 13.
_LINES = 20


class Piped:
    """
    A program with a pipe to its input.  It dies with this process.

    @ivar child: the program.
    @raise SpawnFailed: it can't be started.
    """

    def __init__(
        self,
        reactor: Any,
        argv: Sequence[str],
        environ: Mapping[str, str],
        output: Callable[[int, bytes], None],
    ) -> None:
        reading, writing = os.pipe()
        self.child = Child(reactor, argv, environ, output, die_with_parent=True, stdin=reading)
        try:
            self.child.start()
        except SpawnFailed:
            os.close(reading)
            os.close(writing)
            raise
        self._input = PipeWriter(reactor, writing)
        self.child.emptied.addCallback(lambda _: self._input.abandon())

    def write(self, data: bytes) -> None:
        """
        Send bytes to its input.
        """
        self._input.write(data)

    def end(self) -> None:
        """
        Close its input.
        """
        self._input.loseConnection()


class SshLink:
    """
    One connection.

    @ivar sessions: how many instances use the connection, or are about to.
    @ivar lost: why the connection can't be used any more; L{None} while it can.
    @ivar folder: a folder on the host with the socket through which nodes there reach the
        edge; it exists as long as the connection.
    @ivar edge: the endpoint at which nodes on the host dial C{target}; L{None} if there
        is no target.
    @param control: the path at which the connection is shared.
    @param target: what nodes are to reach, see
        L{brxy.spawners.ssh.client.forwardTarget}.
    @param ended: called when nothing of the connection is left on this machine.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        client: SshClient,
        environ: Mapping[str, str],
        control: str,
        target: str | None,
        ended: Callable[[SshLink], None],
    ) -> None:
        self.sessions = 0
        self.lost: str | None = None
        self.target = target
        self.folder = f"/tmp/brxy-{uuid4().hex}"
        self.edge = None if target is None else f"unix:{self.folder}/edge"
        self._reactor = reactor
        self._client = client
        self._environ = environ
        self._control = control
        self._ended = ended
        self._up = False
        self._made: Deferred[None] = Deferred()
        self._waiting: list[Deferred[None]] = []
        self._watching: list[Deferred[str]] = []
        self._closing: list[Deferred[None]] = []
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._timer: IDelayedCall | None = None
        self._master: Piped | None = None

    @property
    def room(self) -> bool:
        """
        Whether one more instance can use the connection.
        """
        return self.lost is None and self.sessions < _MOST_SESSIONS

    # Coming up

    def start(self) -> None:
        """
        Connect.

        @raise SpawnFailed: there is no ssh.
        """
        self._master = Piped(
            self._reactor, self._client.master(self._control), self._environ, self._printed
        )
        self._master.write(f"{self.folder}\n".encode())
        self._master.child.ended.addCallback(self._masterEnded)
        patience = self._client.connect_timeout + _SETTLE
        self._timer = self._reactor.callLater(patience, self._fail, f"not there in {patience:g} s")
        settled = Deferred.fromCoroutine(self._settle())
        settled.addErrback(lambda failure: self._log.failure("while connecting", failure))

    def whenUp(self) -> Deferred[None]:
        """
        @return: fires when instances can be started, or fails with
            L{SpawnFailed}; may be cancelled.
        """
        if self._up:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    async def _settle(self) -> None:
        try:
            await self._made
            if self.target is not None:
                await self._forward(self.target)
        except SpawnFailed as error:
            self._fail(str(error))
            return
        self._stopTimer()
        self._up = True
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    async def _forward(self, target: str) -> None:
        lines: list[str] = []
        forwarding = Child(
            self._reactor,
            self._client.forward(self._control, f"{self.folder}/edge", target),
            self._environ,
            lambda descriptor, line: lines.append(oneLine(line)),
            die_with_parent=True,
        )
        forwarding.start()
        ended = await forwarding.ended
        if ended.status != 0:
            raise SpawnFailed(f"no way back to the edge: {explain(lines)}")

    def _printed(self, descriptor: int, line: bytes) -> None:
        """
        The master, or its command on the host, printed a line.
        """
        if line == MADE and not self._made.called:
            self._made.callback(None)
        elif line:
            self._lines.append(oneLine(line))

    # In use

    def run(self, output: Callable[[int, bytes], None]) -> Piped:
        """
        Start L{brxy.spawners.ssh.remote.RUN} on the host.

        @param output: as for L{Child}.
        @raise SpawnFailed: it can't be started.
        """
        return Piped(self._reactor, self._client.run(self._control), self._environ, output)

    def whenLost(self) -> Deferred[str]:
        """
        @return: fires with the reason when the connection is lost; may be cancelled.
        """
        if self.lost is not None:
            return succeed(self.lost)
        watching: Deferred[str] = Deferred()
        self._watching.append(watching)
        return watching

    # Going down

    def close(self) -> Deferred[None]:
        """
        Close the connection, when no instance uses it any more.

        @return: fires when it is closed; does not fire if it has ended already.
        """
        closed: Deferred[None] = Deferred()
        self._closing.append(closed)
        self._fail("the connection was closed")
        return closed

    def _fail(self, reason: str) -> None:
        """
        The connection can't be used any more, and ends soon.
        """
        if self.lost is not None:
            return
        self.lost = reason
        self._stopTimer()
        if self._master is not None:
            self._master.end()
            self._timer = self._reactor.callLater(_PARTING, self._master.child.stop, 1.0)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(SpawnFailed(reason))
        watching, self._watching = self._watching, []
        for watcher in watching:
            watcher.callback(reason)

    def _masterEnded(self, ended: Ended) -> None:
        if ended.signal is None:
            reason = explain(list(self._lines))
        else:
            reason = f"ssh was {ended.describe()}"
        self._fail(reason)
        self._stopTimer()
        with suppress(OSError):
            os.unlink(self._control)
        if not self._made.called:
            self._made.errback(SpawnFailed(reason))
        self._ended(self)
        closing, self._closing = self._closing, []
        for closed in closing:
            closed.callback(None)

    def _stopTimer(self) -> None:
        if self._timer is not None:
            with suppress(AlreadyCalled, AlreadyCancelled):
                self._timer.cancel()
            self._timer = None
