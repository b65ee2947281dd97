"""
Tests of L{brxy.apps.listening} and of what L{brxy.apps.checks} says of it.
"""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.checks import misplaced
from brxy.apps.listening import Listener, listeners, sessionMembers


class ListenersTests(SynchronousTestCase):
    """
    Tests of L{listeners} and L{sessionMembers}.
    """

    def test_found(self) -> None:
        """
        Listening sockets of both families are found, and no others.
        """
        places = (("127.0.0.1", socket.AF_INET), ("0.0.0.0", socket.AF_INET))
        expected = set()
        for host, family in (*places, ("::1", socket.AF_INET6), ("::", socket.AF_INET6)):
            server = socket.create_server((host, 0), family=family)
            self.addCleanup(server.close)
            expected.add(Listener(host, server.getsockname()[1]))
        unused = socket.socket()
        self.addCleanup(unused.close)
        unused.bind(("127.0.0.1", 0))
        found = listeners([os.getpid()])
        self.assertLessEqual(expected, set(found))
        self.assertNotIn(Listener("127.0.0.1", unused.getsockname()[1]), found)
        self.assertEqual(str(Listener("::1", 80)), "[::1]:80")
        self.assertEqual(str(Listener("127.0.0.1", 80)), "127.0.0.1:80")

    def test_nothing(self) -> None:
        """
        A process that is not there listens nowhere.
        """
        self.assertEqual(listeners([2**22 + 1]), [])

    def test_members(self) -> None:
        """
        A session has its processes.
        """
        self.assertIn(os.getpid(), sessionMembers(os.getsid(0)))
        self.assertEqual(sessionMembers(2**22 + 1), [])


class MisplacedTests(SynchronousTestCase):
    """
    Tests of L{misplaced}.
    """

    def test_advice(self) -> None:
        """
        It says what to write instead.
        """
        here, elsewhere = Listener("0.0.0.0", 8000), Listener("192.0.2.1", 20000)
        for found, command, expected in (
            (
                here,
                ["gunicorn", "-b", ":8000"],
                "it listens on 0.0.0.0:8000; write {port} in place of 8000 in its command",
            ),
            (
                here,
                ["gunicorn", "{port}"],
                "it listens on 0.0.0.0:8000; have it take the port from PORT or {port}, or say "
                "app-port=8000 (of a node: --app-port 8000)",
            ),
            (
                elsewhere,
                ["serve"],
                "it listens on 192.0.2.1:20000; have it listen on 127.0.0.1, which is in HOST "
                "and {host}",
            ),
        ):
            self.assertEqual(misplaced([found], 20000, command), expected)
