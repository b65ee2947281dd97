"""
Tests of L{brxy.program.owners}.
"""

from __future__ import annotations

import fcntl
import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from brxy.program.owners import lockOwner, portOwner, socketOwner


class OwnerTests(SynchronousTestCase):
    """
    Tests of what is found of this process.
    """

    def test_port(self) -> None:
        """
        The process that listens on a port is found, with either family.
        """
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as taken:
                taken.bind((host, 0))
                port = taken.getsockname()[1]
                self.assertIsNone(portOwner(port))
                taken.listen()
                owner = portOwner(port)
                assert owner is not None
                self.assertEqual(owner.pid, os.getpid())
                self.assertEqual(str(owner), f"process {owner.pid} ({owner.name})")
            self.assertIsNone(portOwner(port))

    def test_socket(self) -> None:
        """
        So is the one that has a Unix socket, also with blanks in its path.
        """
        path = "a b"
        self.addCleanup(os.unlink, path)
        with socket.socket(socket.AF_UNIX) as taken:
            taken.bind(path)
            taken.listen()
            owner = socketOwner(path)
        assert owner is not None
        self.assertEqual(owner.pid, os.getpid())
        self.assertIsNone(socketOwner(path))

    def test_lock(self) -> None:
        """
        A process that has only opened a folder has not locked it.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        descriptor = os.open(folder, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertIsNone(lockOwner(os.stat(folder)))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        owner = lockOwner(os.stat(folder))
        assert owner is not None
        self.assertEqual(owner.pid, os.getpid())
