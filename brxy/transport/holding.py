"""
Reading that can be held back for several reasons at once.
"""

from __future__ import annotations

import typing

from brxy.reactor.hangup import HangupWatcher
from brxy.transport.link import Link

__all__ = ["HOLD_PEER", "Holding"]

# A reason to hold: the other end of the exchange is full.
HOLD_PEER = 1


class _Shared(typing.Protocol):
    """
    What L{Holding} needs of L{brxy.transport.connection.Shared}.
    """

    @property
    def hangups(self) -> HangupWatcher: ...


class Holding(Link):
    """
    The part of L{brxy.transport.connection.Connection} that stops and resumes reading.

    @ivar alive: the transport is there, and neither side has begun to close it.
    @ivar read_ended: the peer has half-closed.
    """

    shared: _Shared
    alive = False
    read_ended = False
    _holds = 0
    _watched = -1

    def hold(self, why: int) -> None:
        """
        Do not read until this reason and every other one is gone.
        """
        if not self._holds and self.alive:
            self._tcp.pauseProducing()
            self._watch()
        self._holds |= why

    def release(self, why: int) -> None:
        """
        This reason is gone.
        """
        if self._holds & why:
            self._holds &= ~why
            if not self._holds and self.alive:
                self._unwatch()
                self._read()

    def pause(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self.hold(HOLD_PEER)

    def resume(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self.release(HOLD_PEER)

    def hungUp(self, broken: bool) -> None:
        """
        While nothing is read, the peer closed (C{broken}) or half-closed.
        """

    def hasLeft(self) -> bool:
        """
        @return: whether the peer has closed or half-closed, even if its end is not read yet
            (of that, the kernel informs only over TCP).
        """
        return self.read_ended or not self.alive or self.isEnded()

    def _watch(self) -> None:
        # A transport in memory has no descriptor, and its peer can't hang up.
        fileno = getattr(self.transport, "fileno", None)
        if fileno is not None and not self.read_ended:
            self._watched = fileno()
            self.shared.hangups.watch(self._watched, self.hungUp)

    def _unwatch(self) -> None:
        if self._watched >= 0:
            self.shared.hangups.unwatch(self._watched)
            self._watched = -1

    def _read(self) -> None:
        # A transport that resumes reading after the end reports the end again.
        if not self.read_ended:
            self._tcp.resumeProducing()
