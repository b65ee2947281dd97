"""
The two ends of an exchange, joined.

What one end receives is written to the other.  Backpressure is here and nowhere else:
while one end can't take more, the other is not read from.
"""

from __future__ import annotations

from typing import Protocol

from brxy.transport.splice import MovableStream

__all__ = ["End", "Relay"]


class End(Protocol):
    """
    One of the two ends that a relay joins for the time of an exchange: a client, a slot
    or an app's connection.

    @ivar congested: what was written has not been sent yet, and more should wait.
    @ivar stream: the connection, if it carries the exchange's bytes and nothing
        else, and bytes can be moved to another one unread; else L{None}.
    """

    @property
    def congested(self) -> bool: ...

    @property
    def stream(self) -> MovableStream | None: ...

    def write(self, data: bytes) -> None:
        """
        Send bytes of the exchange to the peer of this end.
        """

    def end(self) -> None:
        """
        Half-close: nothing more is written.
        """

    def reset(self) -> None:
        """
        Abort: the peer of this end must see that the exchange broke off.
        """

    def pause(self) -> None:
        """
        Deliver no more bytes from this end until L{resume}.
        """

    def resume(self) -> None:
        """
        Deliver bytes again.
        """


class Relay:
    """
    Two ends, joined until both have ended or one was aborted.

    An end reports what happens to it by calling these methods with itself as the
    source.

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

    def takenUp(self) -> None:
        """
        The far end was a probe until now, and is accepted: more are waiting for that.
        """
        self.accepted()

    def refused(self, reason: str) -> None:
        """
        The far end could not be reached; no byte got there.
        """

    def data(self, source: object, data: bytes) -> None:
        """
        An end received bytes.
        """
        other = self._other(source)
        if other is not None:
            other.write(data)

    def ended(self, source: object) -> None:
        """
        An end receives nothing more, but still sends what is written to it.
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
        An end can take no more for now.
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
