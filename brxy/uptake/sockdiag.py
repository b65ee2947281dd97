"""
What the kernel knows of the app's end of a connection: NETLINK_SOCK_DIAG, see C{sock_diag(7)}.

The kernel answers a query before C{send} returns: none of them waits.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from attrs import frozen

from brxy.errors import Unseen

__all__ = ["Queue", "Seen", "SockDiag", "openDiag", "unseen"]

# <linux/netlink.h>, <linux/sock_diag.h>
_NETLINK_SOCK_DIAG = 4
_BY_FAMILY = 20
_DONE = 3
_GET, _DUMP = 0x1, 0x301

# <linux/tcp_states.h>
_ESTABLISHED, _LISTEN = 1, 10

# struct nlmsghdr: length, type, flags, sequence number, port; struct inet_diag_req_v2: family,
# protocol, extensions, states, both ports and both addresses as the socket that is searched
# has them, interface, cookie.
_QUERY = Struct("=IHHIIBBBxIHH16s16sIQ")

# struct nlmsghdr: length, type, sequence number.
_HEADER = Struct("=IH2xI4x")

# struct inet_diag_msg, which follows it: see _Found.
_SOCKET = Struct("=BB2xHH16s32xI8xI")

_NO_COOKIE = 0xFFFFFFFFFFFFFFFF

# The most bytes that the kernel puts into one part of an answer.
_LONGEST = 32768

# The most parts that are read for one query.  A part has two hundred sockets.
_MOST_PARTS = 16


@frozen
class Seen:
    """
    The app's end of an established connection.

    @ivar accepted: the app has accepted it.
    @ivar unread: how many bytes the app has not read.
    """

    accepted: bool
    unread: int


@frozen
class Queue:
    """
    What waits for an app.

    @ivar waiting: how many connections were not accepted yet.
    @ivar listeners: how many listeners share the address, each with a part of them.
    """

    waiting: int
    listeners: int


class _Found(NamedTuple):
    """
    A socket in any state.

    @ivar port: its own port, and C{peer_port} that of its peer, in network byte order.
    @ivar own: its own address, packed.
    @ivar unread: bytes that were not read; of a listener: connections that were not accepted.
    @ivar inode: 0 for a socket that no program has.
    """

    family: int
    state: int
    port: int
    peer_port: int
    own: bytes
    unread: int
    inode: int


class SockDiag:
    """
    Queries the TCP sockets of a network namespace.  An app is given by the address that is
    dialled, such as 127.0.0.1 also for an app on C{[::]}.

    @param netlink: a socket for NETLINK_SOCK_DIAG that was made in the namespace; C{close}
        closes it.
    """

    def __init__(self, netlink: socket.socket) -> None:
        netlink.setblocking(False)
        self._netlink = netlink
        self._sequence = 0
        self._answer = bytearray(_LONGEST)

    def look(self, app: tuple[str, int], ours: tuple[str, int]) -> Seen | None:
        """
        Look at the app's end of a connection.

        @param ours: the address of our end.
        @return: L{None} if that is not known: it is gone or closed, it is not established
            (the queue of the listener is full, or the listener has C{TCP_DEFER_ACCEPT} and
            nothing was sent), or it can't be seen.
        """
        found = self._find(app, ours)
        if found is None or found.state != _ESTABLISHED:
            return None
        return Seen(found.inode != 0, found.unread)

    def knows(self, app: tuple[str, int], ours: tuple[str, int]) -> bool:
        """
        Whether there is an app's end of a connection, established or not.  If there is none
        while our end is open, another machine or program is between.
        """
        return self._find(app, ours) is not None

    def queue(self, app: tuple[str, int]) -> Queue | None:
        """
        Count the connections to an app that wait to be accepted, by any of the listeners that
        share the address (C{SO_REUSEPORT}).

        @return: L{None} if that is not known: there is no listener, or thousands of them.
        """
        try:
            family, packed = _packed(app[0])
            port = socket.htons(app[1])
            found = self._get(family, port, packed, 0, packed)
            if found is None or found.state != _LISTEN:
                return None
            return self._count(found)
        except OSError:
            return None

    def close(self) -> None:
        """
        Close the netlink socket.
        """
        self._netlink.close()

    def _find(self, app: tuple[str, int], ours: tuple[str, int]) -> _Found | None:
        try:
            family, packed = _packed(app[0])
            port, our_port = socket.htons(app[1]), socket.htons(ours[1])
            found = self._get(family, port, packed, our_port, _packed(ours[0])[1])
        except OSError:
            return None
        # The kernel answers with the listener if there is no such connection.
        if found is None or found.port != port or found.peer_port != our_port:
            return None
        return found

    def _get(
        self, family: int, port: int, packed: bytes, our_port: int, our_packed: bytes
    ) -> _Found | None:
        sequence = self._query(_GET, family, ~0, port, packed, our_port, our_packed)
        for _ in range(_MOST_PARTS):
            self._netlink.recv_into(self._answer)
            _, kind, answered = _HEADER.unpack_from(self._answer)
            # Others belong to a long answer that was not read to its end.
            if answered == sequence:
                if kind != _BY_FAMILY:
                    return None
                return _Found(*_SOCKET.unpack_from(self._answer, _HEADER.size))
        return None

    def _count(self, like: _Found) -> Queue | None:
        """
        Count the connections that were not accepted by the listeners with one address.
        """
        nowhere = bytes(16)
        sequence = self._query(_DUMP, like.family, 1 << _LISTEN, like.port, nowhere, 0, nowhere)
        waiting = listeners = 0
        for _ in range(_MOST_PARTS):
            size = self._netlink.recv_into(self._answer)
            for kind, answered, at in self._messages(size):
                if answered != sequence:
                    continue
                if kind != _BY_FAMILY:
                    return Queue(waiting, listeners) if kind == _DONE else None
                found = _Found(*_SOCKET.unpack_from(self._answer, at))
                if found.own == like.own:
                    waiting += found.unread
                    listeners += 1
        return None

    def _messages(self, size: int) -> Iterator[tuple[int, int, int]]:
        """
        Take apart what was received.

        @return: of each message the type, the sequence number, and where its content begins.
        """
        at = 0
        while at < size:
            length, kind, sequence = _HEADER.unpack_from(self._answer, at)
            yield kind, sequence, at + _HEADER.size
            # They are aligned.
            at += length + 3 & ~3

    def _query(
        self,
        flags: int,
        family: int,
        states: int,
        port: int,
        packed: bytes,
        peer_port: int,
        peer_packed: bytes,
    ) -> int:
        """
        @return: the sequence number that the answer has.
        """
        self._sequence = sequence = self._sequence + 1 & 0xFFFFFFFF
        ends = port, peer_port, packed, peer_packed, 0, _NO_COOKIE
        header = _QUERY.size, _BY_FAMILY, flags, sequence, 0
        self._netlink.send(
            _QUERY.pack(*header, family, socket.IPPROTO_TCP, 0, states & 0xFFFFFFFF, *ends)
        )
        return sequence


def openDiag() -> SockDiag:
    """
    Open a L{SockDiag} for the network namespace of this thread, and check that it works.

    @raise Unseen: it does not.
    """
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    except OSError as error:
        raise Unseen(f"no netlink socket (NETLINK_SOCK_DIAG): {error.strerror}") from None
    diag = SockDiag(netlink)
    try:
        # Without inet_diag the kernel answers as it does for sockets that don't exist.
        with socket.create_server(("127.0.0.1", 0)) as known:
            works = diag.queue(known.getsockname()) is not None
    except OSError as error:
        diag.close()
        raise Unseen(f"no socket to look at: {error.strerror}") from None
    if not works:
        diag.close()
        raise Unseen("the kernel does not report sockets (inet_diag, tcp_diag)")
    return diag


def unseen(host: str) -> str:
    """
    Why the sockets of an app can't be seen from this machine's own network namespace.

    @param host: where a connection to the app leads: an address, not a name.
    @return: C{""} if nothing is known that is against it.
    """
    try:
        family, _, _, _, name = socket.getaddrinfo(
            host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
    except OSError:
        return f"{host or 'a Unix socket'} is not an IP address"
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(name)
    except OSError:
        return f"{host} is not an address of this machine"
    return ""


@lru_cache(maxsize=1024)
def _packed(host: str) -> tuple[int, bytes]:
    """
    @return: the family and the bytes of an address.
    @raise OSError: it is not one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.inet_pton(family, host).ljust(16, b"\0")
