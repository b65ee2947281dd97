"""
Lets in no more clients than there is room for.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from brxy.transport.accepting import watch

__all__ = ["FILES_PER_INSTANCE", "OWN_FILES", "Admission", "clientsAllowed"]

# A port that is shut opens again when so large a part of all have left: else it would
# be opened and shut for each that comes.
_PART = 32

# Seconds between two messages about the same.
_MESSAGE_PAUSE = 60.0


class Admission:
    """
    Counts the connections of some ports, and shuts the ports when there are as many
    as may be.  Who comes then waits in the kernel's queue until others leave, and
    costs nothing; at the limit of descriptors there would be none for a node that
    dials in, or for a spawner.

    @ivar count: how many there are.
    """

    _log = Logger()

    def __init__(
        self,
        most: int | None,
        allowed: Callable[[int], int],
        seconds: Callable[[], float],
        files: Callable[[], int] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    ) -> None:
        """
        @param most: how many there may be, or L{None} for as many as are allowed.
        @param allowed: how many the limit of open files allows.
        @param files: tells that limit, which may be changed at any time.
        """
        self.count = 0
        self._most = most
        self._allowed = allowed
        self._seconds = seconds
        self._files = files
        self._ports: list[Any] = []
        self._is_open = True
        self._said_at: float | None = None

    def watch(self, port: Any) -> None:
        """
        Count the connections of this port, too.
        """
        self._ports.append(port)
        watch(port, self)

    def leave(self) -> None:
        """
        The ports are being closed: leave them alone.
        """
        self._ports.clear()

    # As the ports' gate

    def room(self) -> int:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        room = self._limit() - self.count
        if room <= 0:
            self._shut()
        return room

    def entered(self) -> None:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        self.count += 1

    def left(self) -> None:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        self.count -= 1
        if not self._is_open:
            limit = self._limit()
            if self.count <= limit - max(1, limit // _PART):
                self._is_open = True
                for port in self._ports:
                    port.startReading()

    def _limit(self) -> int:
        allowed = self._allowed(self._files())
        return allowed if self._most is None else min(self._most, allowed)

    def _shut(self) -> None:
        if self._is_open:
            self._is_open = False
            for port in self._ports:
                port.stopReading()
            now = self._seconds()
            if self._said_at is None or now >= self._said_at + _MESSAGE_PAUSE:
                self._said_at = now
                self._log.warn(
                    "{n} clients are connected: others wait until some leave", n=self.count
                )


# Descriptors that an edge needs besides those of clients and instances: its ports,
# its log, its state, and the pipes of L{brxy.transport.splice}.
OWN_FILES = 120


# What an instance that runs here needs besides its slots.
FILES_PER_INSTANCE = 3


def clientsAllowed(files: int, instances: int, capacity: int) -> int:
    """
    How many clients may be let in so that there are descriptors left for all else;
    never more than half of them are kept for that.

    @param files: how many this process may have open.
    @param instances: how many there may be.
    @param capacity: how many slots each has.
    """
    kept = OWN_FILES + instances * (capacity + FILES_PER_INSTANCE)
    return max(1, files - min(kept, files // 2))
