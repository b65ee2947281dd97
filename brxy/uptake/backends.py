"""
The connections to an app that its slots have.
"""

from __future__ import annotations

from typing import Any, Protocol

from brxy.uptake.sockdiag import Queue, Seen

__all__ = ["Backend", "Backends", "Diag", "Ends"]

#: The address of the app's end of a connection, and of ours.
Ends = tuple[tuple[str, int], tuple[str, int]]


class Diag(Protocol):
    """
    What shows the app's sockets, see L{brxy.uptake.sockdiag}.
    """

    def look(self, app: tuple[str, int], ours: tuple[str, int]) -> Seen | None: ...

    def knows(self, app: tuple[str, int], ours: tuple[str, int]) -> bool: ...

    def queue(self, app: tuple[str, int]) -> Queue | None: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """
    A slot's connection to the app, as it is needed here.

    @ivar sent: how many bytes of its exchange were written to the app.
    """

    sent: int

    @property
    def probing(self) -> bool:
        """
        Its exchange is a probe.
        """

    @property
    def exchange(self) -> object | None:
        """
        The exchange that it has; L{None} if it has none.
        """

    @property
    def ends(self) -> tuple[tuple[str, int], tuple[str, int]] | None:
        """
        The app's end of the connection, and ours; L{None} without a connection.
        """

    def isSent(self) -> bool:
        """
        @return: whether the app's kernel has all that was written; of a probe, also whether
            the app has not answered it.
        """

    def sendByte(self) -> None:
        """
        The app gets the first byte of the probe, if its client has sent one.
        """

    def takenUp(self) -> None:
        """
        The app gets the rest of the exchange.
        """

    def takeBack(self) -> None:
        """
        The exchange goes elsewhere: reset the connection.
        """

    def giveKept(self) -> Any:
        """
        @return: the connection, if there is one and no exchange is on it; it is given away.
        """

    def closeIdle(self) -> None:
        """
        Close the connection if no exchange is on it.
        """


class Backends:
    """
    The backends of one app, and what can be seen of their connections.
    """

    def __init__(self, diag: Diag) -> None:
        """
        @param diag: shows the app's sockets.
        """
        self._diag = diag
        self._backends: list[Backend] = []

    def add(self, backend: Backend) -> None:
        """
        A backend of the app is made.
        """
        self._backends.append(backend)

    def remove(self, backend: Backend) -> None:
        """
        A backend is not used any more.
        """
        self._backends.remove(backend)

    def takeKept(self) -> Any:
        """
        @return: a connection that is kept, if there is one.  It belongs to the caller now.
        """
        for backend in self._backends:
            connection = backend.giveKept()
            if connection is not None:
                return connection
        return None

    def whole(self) -> set[object]:
        """
        @return: the exchanges that the app has, but for a probe.
        """
        return {each.exchange for each in self._backends if not each.probing} - {None}

    def survey(self) -> tuple[int, set[object]]:
        """
        Look at every connection with an exchange that is no probe.

        @return: how many exchanges the app has begun to read, or has accepted if there is
            nothing to be read yet; and those that it has not begun to read.  The first byte
            does not count if there is more: it may have been read when it was a probe.
        """
        at_work, unread = 0, set()
        for backend in self._backends:
            exchange = backend.exchange
            if exchange is None or backend.probing:
                continue
            ends = backend.ends
            seen = None if ends is None else self._diag.look(*ends)
            if seen is not None and seen.accepted and seen.unread <= _begun(backend):
                # Bytes that are still on their way are not in the app's queue either.
                at_work += seen.unread > 0 or backend.isSent()
            elif backend.sent:
                unread.add(exchange)
        return at_work, unread

    def isBehind(self) -> bool:
        """
        @return: whether there is an exchange that is no probe, and that the app has not accepted
            or not begun to read.
        """
        for backend in self._backends:
            if backend.exchange is None or backend.probing:
                continue
            ends = backend.ends
            if ends is None:
                return True
            seen = self._diag.look(*ends)
            if seen is not None and not (seen.accepted and seen.unread <= _begun(backend)):
                return True
        return False

    def closeIdle(self) -> None:
        """
        Close the connections that are kept: an app that serves one connection at a time may be
        waiting on one, and accepts no other.
        """
        for backend in self._backends:
            backend.closeIdle()


def _begun(backend: Backend) -> int:
    """
    @return: at most this many bytes are unread if the app has begun to read the exchange.
    """
    return max(0, backend.sent - 2)
