"""
Tests of how long an edge waits for its HTTP clients.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.test.crowds import MemoryClient, MemoryEdge, get
from brxy.test.edges import spawnRule
from brxy.test.network import FakeReactor, PipeEnd
from brxy.test.peers import answer
from brxy.test.spawning import FrontedSpawner


class ClientTimesTests(SynchronousTestCase):
    """
    A client that has nothing to say does not stay for ever.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        spawner = FrontedSpawner(self.reactor, lambda order: Address("127.0.0.1", 1))
        self.edge = MemoryEdge(self.reactor, spawnRule(spawner), hold_timeout=600.0)
        self.addCleanup(self.edge.service.stopService)

    def connected(self, said: bytes) -> tuple[MemoryClient, PipeEnd]:
        """
        @return: a client that has said this, and its end of the connection.
        """
        client = self.edge.ask(said)
        end = client.transport
        assert isinstance(end, PipeEnd)
        return client, end

    def respond(self) -> None:
        """
        Have the app answer everything.
        """
        self.edge.turn()
        while self.reactor.dialling():
            self.reactor.accept()
        self.edge.turn()
        for app in self.reactor.apps:
            if app.received:
                app.received.clear()
                app.end.write(answer())
        self.edge.turn()

    def wait(self, seconds: int) -> None:
        """
        Let time pass.
        """
        for _ in range(seconds):
            self.reactor.advance(1)
            self.edge.turn()

    def test_silent(self) -> None:
        """
        One that never says anything is let go after 75 to 115 s.
        """
        client, _ = self.connected(b"")
        self.wait(74)
        self.assertFalse(client.ended)
        self.wait(40)
        self.assertTrue(client.ended)
        self.assertEqual(client.received, b"")

    def test_idle(self) -> None:
        """
        That time begins anew with each of its requests.
        """
        client, end = self.connected(get())
        self.respond()
        for _ in range(4):
            self.wait(60)
            self.assertFalse(client.ended)
            client.received.clear()
            end.write(get())
            self.respond()
            self.assertEqual(client.status, 200)
        self.wait(115)
        self.assertTrue(client.ended)

    def test_waiting(self) -> None:
        """
        One that waits for its answer is not idle, however long that takes, nor is
        it at once when it has got it.
        """
        client, _ = self.connected(get())
        self.wait(300)
        self.assertFalse(client.ended)
        self.respond()
        self.assertEqual(client.status, 200)
        self.wait(60)
        self.assertFalse(client.ended)

    def test_slowHead(self) -> None:
        """
        One that takes more than 15 s for a head gets 408, even if it goes on
        sending, byte by byte.
        """
        client, end = self.connected(b"GET / HTTP/1.1\r\n")
        for second in range(14):
            end.write(b"X-Slow-%d: 1\r\n" % second)
            self.wait(1)
        self.assertEqual(client.status, 0)
        self.wait(6)
        self.assertEqual(client.status, 408)

    def test_headInTime(self) -> None:
        """
        One that gets it done in time is served.
        """
        client, end = self.connected(get()[:-2])
        self.wait(14)
        end.write(b"\r\n")
        self.respond()
        self.wait(60)
        self.assertEqual(client.status, 200)
        self.assertFalse(client.ended)
