"""
A command that runs on another host.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IDelayedCall

from brxy.processes.child import Ended
from brxy.spawners.ssh.client import explain
from brxy.spawners.ssh.link import Piped, SshLink
from brxy.spawners.ssh.remote import readStatus
from brxy.values.causes import LINES, cause
from brxy.values.text import oneLine

__all__ = ["Session"]

# Seconds after the end by force on the host until ssh is ended here: the report of that
# end has to arrive.
_GRACE = 5.0

# Seconds for which something that the command left running may keep the session open.
_LEFTOVERS = 1.0

# Seconds by which a session may notice a lost connection before the master does.
_HEARSAY = 0.5

_STDERR = 2

# The highest number that a signal has.
_SIGNALS = 64


class Session:
    """
    The command, and the C{ssh} that runs it.

    @param output: called with 1 or 2 and a line, as by L{brxy.processes.child.Child}.
    @param stop_timeout: seconds from SIGTERM to SIGKILL on the host.
    """

    def __init__(
        self,
        reactor: Any,
        link: SshLink,
        output: Callable[[int, bytes], None],
        stop_timeout: float,
    ) -> None:
        self._reactor = reactor
        self._link = link
        self._output = output
        self._stop_timeout = stop_timeout
        self._piped: Piped | None = None
        self._timer: IDelayedCall | None = None
        self._stopping = False
        self._status: int | None = None
        self._last_lines: dict[int, deque[str]] = {
            1: deque(maxlen=LINES),
            _STDERR: deque(maxlen=LINES),
        }
        self._complaints: deque[str] = deque(maxlen=5)

    async def run(self, instructions: bytes) -> str:
        """
        Run the command.

        @param instructions: see L{brxy.spawners.ssh.remote.instructions}.
        @return: how the command ended.
        @raise SpawnFailed: ssh can't be started.
        """
        self._piped = piped = self._link.run(self._printed)
        piped.write(instructions)
        ended = await piped.child.ended
        # There is nothing to stop any more.
        self._stopping = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        return await self._describe(ended)

    def stop(self) -> None:
        """
        Stop the command by SIGTERM, and in the end by force.
        """
        if self._piped is not None and not self._stopping:
            self._stopping = True
            self._piped.end()
            self._endBy(self._stop_timeout + _GRACE)

    def _endBy(self, timeout: float) -> None:
        """
        End ssh after a time, if it has not ended by then.
        """
        assert self._piped is not None
        if self._timer is None:
            self._timer = self._reactor.callLater(timeout, self._piped.child.stop, 1.0)
        elif self._timer.active():
            self._timer.reset(timeout)

    def _printed(self, descriptor: int, line: bytes) -> None:
        """
        The command printed a line, or the shell or the ssh around it.
        """
        status = readStatus(line)
        if status is not None:
            self._status = status
            self._endBy(_LEFTOVERS)
        elif line:
            text = oneLine(line)
            if text:
                self._last_lines[descriptor].append(line.decode("utf-8", "backslashreplace"))
            if descriptor == _STDERR:
                self._complaints.append(text)
            self._output(descriptor, line)

    async def _describe(self, ended: Ended) -> str:
        """
        Describe how the command ended.

        @param ended: how ssh ended.
        """
        status = self._status
        if status is not None and 128 < status <= 128 + _SIGNALS:
            return Ended(None, status - 128).describe()
        if status is not None:
            last_line = oneLine(cause(self._last_lines[_STDERR] or self._last_lines[1]))
            return Ended(status, None, last_line).describe()
        if ended.signal is not None and self._link.lost is None:
            return f"its ssh was {ended.describe()}"
        try:
            lost = await self._link.whenLost().addTimeout(_HEARSAY, self._reactor)
        except TimeoutError:
            return explain(list(self._complaints))
        return f"the connection was lost: {lost}"
