"""
Tests for L{brxy.uptake.sockdiag}, with real sockets.
"""

from __future__ import annotations

import resource
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.errors import Unseen
from brxy.uptake.sockdiag import Queue, Seen, SockDiag, openDiag, unseen

# NETLINK_SOCK_DIAG
_PROTOCOL = 4


def until(condition: Callable[[], bool], what: str) -> None:
    """
    Wait for something that the kernel does soon.
    """
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.001)


class DiagTests(SynchronousTestCase):
    """
    The base of tests with an app's listening socket.
    """

    def setUp(self) -> None:
        try:
            self.diag = openDiag()
        except Unseen as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(self.diag.close)

    def listen(self, host: str = "127.0.0.1", backlog: int = 16) -> socket.socket:
        """
        Listen as an app does: on both IPv4 and IPv6 if C{host} is C{::}.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        both = host == "::"
        return self.enterContext(
            socket.create_server((host, 0), family=family, backlog=backlog, dualstack_ipv6=both)
        )

    def dial(self, host: str, port: int) -> socket.socket:
        return self.enterContext(socket.create_connection((host, port)))

    def look(self, client: socket.socket) -> Seen | None:
        return self.diag.look(client.getpeername()[:2], client.getsockname()[:2])

    def knows(self, client: socket.socket) -> bool:
        return self.diag.knows(client.getpeername()[:2], client.getsockname()[:2])


class LookTests(DiagTests):
    """
    Tests of L{SockDiag.look} and L{SockDiag.knows}.
    """

    def check(self, bound: str, dialled: str) -> None:
        listening = self.listen(bound)
        client = self.dial(dialled, listening.getsockname()[1])
        self.assertEqual(self.look(client), Seen(False, 0))
        client.send(b"P")
        self.assertEqual(self.look(client), Seen(False, 1))
        accepted, _ = listening.accept()
        with accepted:
            self.assertEqual(self.look(client), Seen(True, 1))
            accepted.recv(1)
            self.assertEqual(self.look(client), Seen(True, 0))

    def test_takenUp(self) -> None:
        """
        Each step of the app is seen.
        """
        self.check("127.0.0.1", "127.0.0.1")

    def test_everyAddress(self) -> None:
        """
        So it is for an app on 0.0.0.0, reached at another address of the machine.
        """
        self.check("0.0.0.0", "127.5.6.7")

    def test_version6(self) -> None:
        """
        So it is over IPv6.
        """
        self.check("::1", "::1")

    def test_bothVersions(self) -> None:
        """
        An app that listens on C{::} is seen by whichever address was dialled.
        """
        self.check("::", "127.0.0.1")
        self.check("::", "::1")
        self.check("::", "::ffff:127.0.0.1")

    def test_peeked(self) -> None:
        """
        What an app has only peeked at is unread.
        """
        listening = self.listen()
        client = self.dial(*listening.getsockname())
        client.send(b"P")
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(1, socket.MSG_PEEK)
            self.assertEqual(self.look(client), Seen(True, 1))

    def test_gone(self) -> None:
        """
        In place of a connection that the app has reset there is its listener, which is not
        mistaken for it.
        """
        listening = self.listen()
        client = self.dial(*listening.getsockname())
        app, ours = client.getpeername(), client.getsockname()
        accepted, _ = listening.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        self.assertIsNone(self.diag.look(app, ours))
        self.assertFalse(self.diag.knows(app, ours))

    def test_closed(self) -> None:
        """
        A connection that the app has closed is known, but is not at work.
        """
        listening = self.listen()
        client = self.dial(*listening.getsockname())
        accepted, _ = listening.accept()
        accepted.close()
        self.assertIsNone(self.look(client))
        self.assertTrue(self.knows(client))

    def test_nothingThere(self) -> None:
        """
        Nothing is known where nothing listens, of other machines, and of what is no address.
        """
        with socket.create_server(("127.0.0.1", 0)) as before:
            app = before.getsockname()
        self.assertIsNone(self.diag.look(app, ("127.0.0.1", 9)))
        for host in ("192.0.2.1", "localhost", "", "/run/app"):
            self.assertIsNone(self.diag.look((host, 80), ("127.0.0.1", 9)))
            self.assertFalse(self.diag.knows((host, 80), ("127.0.0.1", 9)))
            self.assertIsNone(self.diag.queue((host, 80)))

    def test_deferred(self) -> None:
        """
        With C{TCP_DEFER_ACCEPT} nothing is known of a connection before its first byte.
        """
        listening = self.listen()
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
        client = self.dial(*listening.getsockname())
        self.assertIsNone(self.look(client))
        self.assertTrue(self.knows(client))
        client.send(b"P")
        self.assertEqual(self.look(client), Seen(False, 1))

    def test_fullQueue(self) -> None:
        """
        Nor of one for which the app's queue has no room.
        """
        listening = self.listen(backlog=0)
        self.dial(*listening.getsockname())
        client = self.enterContext(socket.socket())
        client.setblocking(False)
        client.connect_ex(listening.getsockname())
        self.assertIsNone(self.diag.look(listening.getsockname(), client.getsockname()))

    def test_otherAnswer(self) -> None:
        """
        An answer to an earlier query is not taken for that to a later one.
        """
        listening = self.listen()
        client = self.dial(*listening.getsockname())
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _PROTOCOL)
        diag = SockDiag(netlink)
        self.addCleanup(diag.close)
        # A query for all listeners, whose answer was not read.
        query = struct.pack("=IHHIIBBBxI48xQ", 72, 20, 0x301, 77, 0, 2, 6, 0, 1 << 10, 0)
        netlink.send(query)
        self.assertEqual(diag.look(client.getpeername(), client.getsockname()), Seen(False, 0))


class QueuedTests(DiagTests):
    """
    Tests of L{SockDiag.queue}.
    """

    def waiting(self, app: tuple[str, int]) -> int:
        """
        @return: how many connections to an app were not accepted.
        """
        queue = self.diag.queue(app)
        return -1 if queue is None else queue.waiting

    def test_counted(self) -> None:
        """
        Connections are counted until the app accepts them, those too that were reset.
        """
        listening = self.listen()
        app = listening.getsockname()
        self.assertEqual(self.waiting(app), 0)
        self.dial(*app)
        other = self.dial(*app)
        self.assertEqual(self.waiting(app), 2)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        other.close()
        self.assertEqual(self.waiting(app), 2)
        for _ in range(2):
            listening.accept()[0].close()
        self.assertEqual(self.waiting(app), 0)

    def test_bothVersions(self) -> None:
        """
        The queue of an app on C{::} is counted for each address that reaches it.
        """
        listening = self.listen("::")
        port = listening.getsockname()[1]
        self.dial("127.0.0.1", port)
        for host in ("127.0.0.1", "::1", "127.8.9.10"):
            self.assertEqual(self.waiting((host, port)), 1)

    def test_others(self) -> None:
        """
        The queue of an app on the same port of another address does not count.
        """
        first = self.listen()
        port = first.getsockname()[1]
        second = self.enterContext(socket.create_server(("127.0.0.2", port)))
        self.dial(*first.getsockname())
        self.assertEqual(self.waiting(first.getsockname()), 1)
        self.assertEqual(self.waiting(second.getsockname()), 0)

    def share(self, number: int) -> tuple[str, int]:
        """
        @return: the address of a number of listeners.
        """
        sockets = self.enterContext(ExitStack())
        app = ("127.0.0.1", 0)
        for _ in range(number):
            one = socket.create_server(app, reuse_port=True)
            app = sockets.enter_context(one).getsockname()
        return app

    def test_shared(self) -> None:
        """
        The queues of all listeners that share an address are added.
        """
        app = self.share(5)
        for _ in range(20):
            self.dial(*app)
        self.assertEqual(self.diag.queue(app), Queue(20, 5))

    def test_thousands(self) -> None:
        """
        An app with thousands of listeners has an unknown queue, and hides no others.
        """
        allowed, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
        if highest < 10_000:
            raise SkipTest("needs 10,000 descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(allowed, 10_000), highest))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (allowed, highest))
        listening = self.listen()
        client = self.dial(*listening.getsockname())
        app = self.share(8_000)
        self.assertIsNone(self.diag.queue(app))
        self.assertEqual(self.look(client), Seen(False, 0))
        self.assertIsNone(self.diag.queue(app))
        until(lambda: self.waiting(listening.getsockname()) == 1, "the queue is known again")


class OpenTests(SynchronousTestCase):
    """
    Tests of L{openDiag}.
    """

    def test_noNetlink(self) -> None:
        """
        Without netlink sockets, the reason is the system's.
        """
        with patch.object(socket, "AF_NETLINK", 45):
            error = self.assertRaises(Unseen, openDiag)
        self.assertEqual(
            str(error),
            "no netlink socket (NETLINK_SOCK_DIAG): Address family not supported by protocol",
        )

    def test_nothingReported(self) -> None:
        """
        A kernel that finds no listener that is there reports none at all.
        """
        with patch.object(socket, "IPPROTO_TCP", socket.IPPROTO_ICMP):
            error = self.assertRaises(Unseen, openDiag)
        self.assertIn("does not report sockets", str(error))


class UnseenTests(SynchronousTestCase):
    """
    Tests of L{unseen}.
    """

    def test_ours(self) -> None:
        """
        Nothing is against addresses of this machine.
        """
        for host in ("127.0.0.1", "127.1.2.3", "::1"):
            self.assertEqual(unseen(host), "")

    def test_others(self) -> None:
        """
        Other addresses, and what is none, have a reason.
        """
        for host in ("192.0.2.1", "2001:db8::1"):
            self.assertEqual(unseen(host), f"{host} is not an address of this machine")
        self.assertEqual(unseen("/run/app"), "/run/app is not an IP address")
        self.assertEqual(unseen(""), "a Unix socket is not an IP address")
