"""
Joining the two ends of an exchange.

Bytes go straight through: what one end receives is written to the other.
Backpressure lives here alone: while one end can't take more, the other is not
read from.
"""

from __future__ import annotations

from typing import Protocol

from brxy.transport.splice import MovableStream

__all__ = ["End", "Relay"]


class End(Protocol):
    """
    What a relay needs of its ends: L{brxy.interfaces.IExchangeEnd}, and to
    know whether there is room now.

    @ivar congested: what was written has not left yet, and more should wait.
    @ivar stream: the connection, if it carries the exchange's bytes and nothing
        else, and bytes can be moved from one such to another unread.
    """

    @property
    def congested(self) -> bool: ...

    @property
    def stream(self) -> MovableStream | None: ...

    def write(self, data: bytes) -> None: ...

    def end(self) -> None: ...

    def reset(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Relay:
    """
    Two ends joined until both have ended, or one was aborted.

    An end tells what happens to it by calling these methods with itself as
    the source.

    @ivar near: the end towards the client.
    @ivar far: the end towards the app; L{None} while there is none.
    """

    near: End
    far: End | None
    _ended: object = None

    def __init__(self, near: End, far: End | None) -> None:
        self.near = near
        self.far = far

    def _other(self, source: object) -> End | None:
        return self.far if source is self.near else self.near

    def accepted(self) -> None:
        """
        The far end is up, and what is written to it goes to the app.
        """

    def refused(self, reason: str) -> None:
        """
        The far end could not be reached; no byte got there.
        """

    def data(self, source: object, data: bytes) -> None:
        """
        Bytes came from an end.
        """
        other = self._other(source)
        if other is not None:
            other.write(data)

    def ended(self, source: object) -> None:
        """
        An end will send nothing more; what it is sent still arrives.
        """
        other = self._other(source)
        if other is None or self._ended is source:
            return
        other.end()
        if self._ended is other:
            self.finished()
        else:
            self._ended = source

    def aborted(self, source: object, reason: str) -> None:
        """
        An end broke off.
        """
        other = self._other(source)
        if other is not None:
            other.reset()

    def finished(self) -> None:
        """
        Both ends have ended.
        """

    def full(self, source: object) -> None:
        """
        An end can't take more for now.
        """
        other = self._other(source)
        if other is not None:
            other.pause()

    def drained(self, source: object) -> None:
        """
        An end can take more again.
        """
        other = self._other(source)
        if other is not None:
            other.resume()
