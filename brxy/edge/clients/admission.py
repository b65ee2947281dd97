"""
Limits the number of connected clients.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import Any

from brxy.edge.events import ClientsFull, Events
from brxy.transport.accepting import watch

__all__ = [
    "FILES_PER_INSTANCE",
    "LEARNED_SLOTS",
    "OWN_FILES",
    "Admission",
    "clientsAllowed",
    "slotsOf",
]

# Closed ports open again when one in this many clients has left: else they would be opened
# and closed for each client.
_PART = 32

# Seconds between two events about full ports.
_EVENT_PAUSE = 60.0


class Admission:
    """
    Counts the connections of some ports, and stops accepting at their maximum.

    Further clients wait in the kernel's queue until others leave, and cost nothing.
    Without a maximum below the limit of descriptors, none would be left for a node that
    dials in, or for a spawner.

    @ivar count: the number of connections.
    """

    def __init__(
        self,
        most: int | None,
        allowed: Callable[[int], int],
        seconds: Callable[[], float],
        events: Events | None = None,
        files: Callable[[], int] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    ) -> None:
        """
        @param most: the maximum of connections; L{None} for what the limit of open files
            allows.
        @param allowed: returns how many connections a limit of open files allows.
        @param events: receives L{ClientsFull}.
        @param files: returns the limit of open files, which may change at any time.
        """
        self._events = Events() if events is None else events
        self.count = 0
        self._most = most
        self._allowed = allowed
        self._seconds = seconds
        self._files = files
        self._ports: list[Any] = []
        self._is_open = True
        self._full_at: float | None = None

    def watch(self, port: Any) -> None:
        """
        Count the connections of this port too.
        """
        self._ports.append(port)
        watch(port, self)
        if not self._is_open:
            port.stopReading()

    def forget(self, port: Any) -> None:
        """
        A port is being closed; its connections count as long as they are open.
        """
        self._ports.remove(port)

    def setLimits(self, most: int | None, allowed: Callable[[int], int]) -> None:
        """
        Other limits hold from now on.  No client leaves for that.
        """
        self._most, self._allowed = most, allowed
        self._openAgain()

    def leave(self) -> None:
        """
        The ports are being closed: don't start or stop accepting any more.
        """
        self._ports.clear()

    # As the gate of the ports

    def room(self) -> int:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        room = self._limit() - self.count
        if room <= 0:
            self._stopAccepting()
        return room

    def connectionEntered(self) -> None:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        self.count += 1

    def connectionLeft(self) -> None:
        """
        See L{brxy.transport.accepting.Gate}.
        """
        self.count -= 1
        self._openAgain()

    def _openAgain(self) -> None:
        if not self._is_open:
            limit = self._limit()
            if self.count <= limit - max(1, limit // _PART):
                self._is_open = True
                for port in self._ports:
                    port.startReading()

    def _limit(self) -> int:
        allowed = self._allowed(self._files())
        return allowed if self._most is None else min(self._most, allowed)

    def _stopAccepting(self) -> None:
        if self._is_open:
            self._is_open = False
            for port in self._ports:
                port.stopReading()
            now = self._seconds()
            if self._full_at is None or now >= self._full_at + _EVENT_PAUSE:
                self._full_at = now
                self._events.emit(ClientsFull(self.count))


# Descriptors of an edge besides those of its clients and instances: its ports, its log,
# its state file, and the pipes of L{brxy.transport.splice}.
OWN_FILES = 120

# Descriptors of an instance on this machine besides those of its slots.
FILES_PER_INSTANCE = 3


# Slots that are counted for an instance whose capacity is learned. It may have up to
# C{--max-capacity} of them, but opens no more than it needs.
LEARNED_SLOTS = 10


def slotsOf(capacity: int) -> int:
    """
    The slots for which descriptors are reserved, by the capacity of an instance.
    """
    return capacity or LEARNED_SLOTS


def clientsAllowed(files: int, instances: int, slots: int) -> int:
    """
    The number of clients that leaves enough descriptors for everything else, for which at
    most half of them are reserved.

    @param files: the limit of descriptors of this process.
    @param instances: the maximum of instances.
    @param slots: of each, at most; for one whose capacity is learned, L{LEARNED_SLOTS}.
    """
    reserved = OWN_FILES + instances * (slots + FILES_PER_INSTANCE)
    return max(1, files - min(reserved, files // 2))
