"""
Tests of L{brxy.processes.ports}.
"""

from __future__ import annotations

import random
import socket

from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed
from brxy.processes.ports import Ports, isFree


class _Fixed(random.Random):
    """
    Chooses the numbers it was given, and the last of them for ever.
    """

    def __init__(self, *choices: int) -> None:
        super().__init__()
        self._choices = list(choices)

    def randint(self, a: int, b: int) -> int:
        """
        The next choice.
        """
        return self._choices.pop(0) if len(self._choices) > 1 else self._choices[0]


class PortsTests(SynchronousTestCase):
    """
    Tests of L{Ports}.
    """

    def listenSomewhere(self, host: str) -> int:
        """
        @return: a port that has a listener at C{host}.
        """
        server = socket.create_server((host, 0))
        self.addCleanup(server.close)
        port: int = server.getsockname()[1]
        return port

    def test_range(self) -> None:
        """
        No port is one that the kernel gives to outgoing connections.
        """
        ports = Ports()
        for _ in range(50):
            port = ports.take()
            self.assertTrue(16384 <= port < 32768, port)

    def test_bindable(self) -> None:
        """
        A server can listen on the port.
        """
        with socket.create_server(("127.0.0.1", Ports().take())):
            pass

    def test_notTwice(self) -> None:
        """
        A port is not given again while it is in use, and is after that.
        """
        first, second = Ports().take(), Ports().take()
        ports = Ports(_Fixed(first, first, second, first))
        self.assertEqual(ports.take(), first)
        self.assertEqual(ports.take(), second)
        ports.release(first)
        self.assertEqual(ports.take(), first)

    def test_othersPort(self) -> None:
        """
        A port that is in use, at any address, is passed over.
        """
        free = Ports().take()
        taken = [self.listenSomewhere(host) for host in ("127.0.0.1", "127.0.0.2", "0.0.0.0")]
        self.assertEqual(Ports(_Fixed(*taken, free)).take(), free)

    def test_none(self) -> None:
        """
        When no port is free, that is a failure, not a search without end.
        """
        ports = Ports(_Fixed(self.listenSomewhere("127.0.0.1")))
        error = self.assertRaises(SpawnFailed, ports.take)
        self.assertEqual(str(error), "no free port between 16384 and 32767")

    def test_isFree(self) -> None:
        """
        A port with a listener is not free, whether addresses are reused or not.
        """
        port = self.listenSomewhere("127.0.0.1")
        self.assertFalse(isFree(port))
        self.assertFalse(isFree(port, reuse=True))

    def test_reuse(self) -> None:
        """
        A connection that was closed a moment ago keeps a port from those only
        that don't reuse addresses.
        """
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            client = socket.create_connection(("127.0.0.1", port))
            accepted, _ = server.accept()
            accepted.close()
            client.recv(1)
            client.close()
        self.assertFalse(isFree(port))
        self.assertTrue(isFree(port, reuse=True))

    def test_bothFamilies(self) -> None:
        """
        A listener of IPv6 takes a port, too.
        """
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            port = server.getsockname()[1]
            self.assertFalse(isFree(port))
            self.assertFalse(isFree(port, reuse=True))
        self.assertTrue(isFree(port, reuse=True))

    def test_claim(self) -> None:
        """
        A given port can be claimed once on a machine, until it is released.
        """
        port = Ports().take()
        first, second = Ports(), Ports()
        first.claim(port)
        for ports in (first, second):
            error = self.assertRaises(SpawnFailed, ports.claim, port)
            self.assertIn(f"port {port} is taken already, for an app of another", str(error))
        first.release(port)
        second.claim(port)
        second.release(port)

    def test_claimTaken(self) -> None:
        """
        A port with a listener can't be claimed, and leaves nothing claimed.
        """
        port = self.listenSomewhere("127.0.0.1")
        ports = Ports()
        for _ in range(2):
            error = self.assertRaises(SpawnFailed, ports.claim, port)
            self.assertEqual(str(error), f"port {port} is taken already")
