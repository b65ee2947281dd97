"""
Tests of L{brxy.edge.clients.timeouts}, and of how long an edge waits for its HTTP clients.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.clients.timeouts import MIN_RATE, Awaited, Timeouts
from brxy.edge.config.limits import Limits
from brxy.interfaces import Address
from brxy.test.support.loopback.crowds import MemoryClient, MemoryEdge, get
from brxy.test.support.loopback.edges import spawnRule
from brxy.test.support.loopback.peers import answer
from brxy.test.support.loopback.spawning import FrontedSpawner
from brxy.test.support.memory.network import FakeReactor, PipeEnd


class TimeoutsTests(SynchronousTestCase):
    """
    Tests of L{Timeouts}.
    """

    def test_checks(self) -> None:
        """
        A timeout is a number of checks.
        """
        timeouts = Timeouts(75.0, 30.0, 60.0, 0.0)
        self.assertEqual(timeouts.pause, 15.0)
        for awaited, checks in ((Awaited.REQUEST, 6), (Awaited.BODY, 3), (Awaited.READING, 5)):
            self.assertTrue(timeouts.limits(awaited))
            self.assertFalse(timeouts.isOver(awaited, checks - 1))
            self.assertTrue(timeouts.isOver(awaited, checks))
        self.assertFalse(timeouts.limits(Awaited.TUNNEL))
        self.assertFalse(timeouts.limits(Awaited.NOTHING))

    def test_short(self) -> None:
        """
        Short timeouts have more frequent checks.
        """
        self.assertEqual(Timeouts(75.0, 1.0, 60.0, 0.0).pause, 0.5)
        self.assertEqual(Timeouts(0.0, 0.0, 0.0, 0.0).pause, 15.0)

    def test_enough(self) -> None:
        """
        A trickle is not enough progress.  In a tunnel any byte is, and nothing is while the
        client must send its next request.
        """
        timeouts = Timeouts(75.0, 30.0, 60.0, 100.0)
        self.assertFalse(timeouts.isEnough(Awaited.BODY, 30 * MIN_RATE - 1))
        self.assertTrue(timeouts.isEnough(Awaited.BODY, 30 * MIN_RATE))
        self.assertFalse(timeouts.isEnough(Awaited.READING, 60 * MIN_RATE - 1))
        self.assertTrue(timeouts.isEnough(Awaited.READING, 60 * MIN_RATE))
        for awaited in (Awaited.TUNNEL, Awaited.RESPONSE):
            self.assertFalse(timeouts.isEnough(awaited, 0))
            self.assertTrue(timeouts.isEnough(awaited, 1))
        self.assertFalse(timeouts.isEnough(Awaited.REQUEST, 10**9))


class ClientTimesBase(SynchronousTestCase):
    """
    Base of these tests, with an edge in memory.

    @cvar limits: its limits.
    """

    limits = Limits()

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        spawner = FrontedSpawner(self.reactor, lambda order: Address("127.0.0.1", 1))
        rule = spawnRule(spawner)
        self.edge = MemoryEdge(
            self.reactor, rule, hold_timeout=600.0, limits=self.limits, routes=["localhost"]
        )
        self.addCleanup(self.edge.service.stopService)

    def connected(self, said: bytes) -> tuple[MemoryClient, PipeEnd]:
        """
        @return: a client that has sent this, and its end of the connection.
        """
        client = self.edge.ask(said)
        end = client.transport
        assert isinstance(end, PipeEnd)
        return client, end

    def respond(self) -> None:
        """
        Have the app answer every request.
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

    def letIn(self) -> None:
        """
        Have the app accept the request, without an answer yet.
        """
        self.edge.turn()
        while self.reactor.dialling():
            self.reactor.accept()
        self.edge.turn()
        self.assertTrue(self.reactor.apps[-1].received)


class ClientTimesTests(ClientTimesBase):
    """
    A client must send a request.
    """

    def test_silent(self) -> None:
        """
        A client that sends nothing is closed after 75 to 115 s.
        """
        client, _ = self.connected(b"")
        self.wait(74)
        self.assertFalse(client.ended)
        self.wait(40)
        self.assertTrue(client.ended)
        self.assertEqual(client.received, b"")

    def test_idle(self) -> None:
        """
        Each request restarts that time.
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

    def test_refused(self) -> None:
        """
        So does a request that the edge answers itself.
        """
        client, end = self.connected(get(host="unknown"))
        for _ in range(4):
            self.wait(60)
            self.assertFalse(client.ended)
            client.received.clear()
            end.write(get(host="unknown"))
            self.edge.turn()
            self.assertEqual(client.status, 404)
        self.wait(115)
        self.assertTrue(client.ended)

    def test_waiting(self) -> None:
        """
        A client that waits for its answer is not idle, however long that takes; once it has
        the answer, it has its whole time.
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
        A client that takes more than 15 s for a head gets 408, even if it goes on sending,
        byte by byte.
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
        A client that sends its head in time is served.
        """
        client, end = self.connected(get()[:-2])
        self.wait(14)
        end.write(b"\r\n")
        self.respond()
        self.wait(60)
        self.assertEqual(client.status, 200)
        self.assertFalse(client.ended)


class BodyTimeTests(ClientTimesBase):
    """
    A client must go on sending the body that it has begun.
    """

    HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"

    def test_stops(self) -> None:
        """
        A client that stops gets 408 after 30 to 60 s, whether it is held or on a slot.
        """
        client, _ = self.connected(self.HEAD)
        self.wait(29)
        self.assertEqual(client.status, 0)
        self.wait(31)
        self.assertEqual(client.status, 408)
        self.assertTrue(client.ended)
        client, _ = self.connected(self.HEAD)
        self.letIn()
        self.wait(60)
        self.assertEqual(client.status, 408)

    def test_trickles(self) -> None:
        """
        So does one that sends a byte a second.
        """
        client, end = self.connected(self.HEAD)
        for _ in range(60):
            end.write(b"x")
            self.wait(1)
        self.assertEqual(client.status, 408)

    def test_goesOn(self) -> None:
        """
        One that is only slow gets all the time that it needs.
        """
        client, end = self.connected(self.HEAD)
        for _ in range(200):
            end.write(b"x" * 100)
            self.wait(1)
        self.assertEqual(client.status, 0)
        end.write(b"x" * 80_000)
        self.respond()
        self.assertEqual(client.status, 200)

    def test_notRead(self) -> None:
        """
        A client that the edge does not read from, since the app takes no more, is not too
        slow.
        """
        client, end = self.connected(self.HEAD + b"x" * 70_000)
        self.wait(300)
        self.assertEqual(client.status, 0)
        self.letIn()
        self.wait(60)
        self.assertEqual(client.status, 408)

    def test_begun(self) -> None:
        """
        A client that stops after its answer has begun is cut off.
        """
        client, end = self.connected(self.HEAD)
        self.letIn()
        self.reactor.apps[0].end.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        self.wait(60)
        self.assertEqual(client.status, 200)
        self.assertIsNotNone(client.reason)


class ReadingTimeTests(ClientTimesBase):
    """
    A client must read its answers.
    """

    def ask(self) -> tuple[MemoryClient, PipeEnd]:
        """
        @return: a client with more to read than is buffered for it.
        """
        client, end = self.connected(get())
        self.letIn()
        # It reads what it is made to.
        end.reading = False
        self.app = self.reactor.apps[-1]
        self.app.end.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n")
        self.app.end.write(b"x" * 900_000)
        self.edge.turn()
        return client, end

    def test_stops(self) -> None:
        """
        A client that stops reading is cut off after 60 to 95 s, and so is the app's
        connection.
        """
        client, end = self.ask()
        self.wait(59)
        self.assertFalse(end.other.lost)
        self.wait(36)
        self.assertTrue(end.other.aborted)
        self.assertIsNotNone(self.app.reason)

    def test_trickles(self) -> None:
        """
        So is one that reads a few bytes now and then.
        """
        client, end = self.ask()
        for _ in range(95):
            self.take(end, 10)
        self.assertTrue(end.other.aborted)

    def test_last(self) -> None:
        """
        So is one that does not read the end of an answer, for which no app waits.
        """
        client, end = self.ask()
        self.app.end.write(b"x" * 8_100_000)
        self.wait(95)
        self.assertTrue(end.other.aborted)

    def test_goesOn(self) -> None:
        """
        One that is only slow gets all of its answer.
        """
        client, end = self.ask()
        for _ in range(9000 // 3):
            self.take(end, 310)
        self.assertIn(b"x" * 899_000, client.received)
        self.assertFalse(end.other.aborted)

    def take(self, end: PipeEnd, size: int) -> None:
        """
        Have a client read this many bytes in a second.
        """
        end.reading = True
        end.deliver(size)
        end.reading = False
        self.wait(1)


class TunnelTimeTests(ClientTimesBase):
    """
    A tunnel may be silent, unless there is a limit.
    """

    limits = Limits(tunnel_timeout=120.0)

    def switched(self) -> tuple[MemoryClient, PipeEnd, PipeEnd]:
        """
        @return: a client with a tunnel to an app, its end of it and the app's.
        """
        request = get()[:-2] + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n"
        client, end = self.connected(request)
        self.letIn()
        app = self.reactor.apps[-1].end
        app.write(b"HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        self.edge.turn()
        self.assertEqual(client.status, 101)
        return client, end, app

    def test_silent(self) -> None:
        """
        It is closed after the limit, or at most half as much later.
        """
        client, end, app = self.switched()
        self.wait(119)
        self.assertFalse(client.ended)
        self.wait(68)
        self.assertTrue(client.ended)

    def test_heard(self) -> None:
        """
        A byte now and then keeps it open, from either side.
        """
        client, end, app = self.switched()
        for side in (end, app):
            for _ in range(5):
                self.wait(100)
                side.write(b"x")
        self.wait(1)
        self.assertFalse(client.ended)
        self.assertTrue(client.received.endswith(b"xxxxx"))

    def test_unlimited(self) -> None:
        """
        By default there is no limit.
        """
        self.limits = Limits()
        self.setUp()
        client, end, app = self.switched()
        self.wait(10_000)
        self.assertFalse(client.ended)


class ResponseTimeTests(ClientTimesBase):
    """
    The exchange of an app at work may be silent, unless there is a limit.
    """

    limits = Limits(stream_idle_timeout=120.0)

    def test_silent(self) -> None:
        """
        A request that gets no response gets 504 after the limit, or at most half as much later,
        and the app's connection is closed.
        """
        client, _ = self.connected(get())
        self.letIn()
        self.wait(119)
        self.assertEqual(client.status, 0)
        self.wait(68)
        self.assertEqual(client.status, 504)
        self.assertTrue(self.reactor.apps[-1].end.other.aborted)

    def test_begun(self) -> None:
        """
        A response that has begun breaks off.
        """
        _, end, app = self.begun()
        self.wait(119)
        self.assertFalse(app.other.aborted)
        self.wait(70)
        self.assertTrue(app.other.aborted)
        self.assertTrue(end.other.aborted)

    def begun(self) -> tuple[MemoryClient, PipeEnd, PipeEnd]:
        """
        @return: a client whose response has begun, its end of the connection and the app's.
        """
        client, end = self.connected(get())
        self.letIn()
        app = self.reactor.apps[-1].end
        app.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.edge.turn()
        self.assertEqual(client.status, 200)
        return client, end, app

    def test_heard(self) -> None:
        """
        A byte now and then keeps it up.
        """
        client, _, app = self.begun()
        for _ in range(5):
            self.wait(100)
            app.write(b"1\r\nx\r\n")
        self.wait(1)
        app.write(b"0\r\n\r\n")
        self.edge.turn()
        self.assertTrue(client.received.endswith(b"1\r\nx\r\n0\r\n\r\n"))

    def test_held(self) -> None:
        """
        The time begins when an app has the request.
        """
        client, _ = self.connected(get())
        self.wait(100)
        self.letIn()
        self.wait(100)
        self.respond()
        self.assertEqual(client.status, 200)

    def test_unlimited(self) -> None:
        """
        By default there is no limit.
        """
        self.limits = Limits()
        self.setUp()
        _, end, app = self.begun()
        self.wait(10_000)
        self.assertFalse(end.other.aborted or app.other.aborted)


class OtherTimesTests(ClientTimesBase):
    """
    The timeouts can be set.
    """

    limits = Limits(head_timeout=2.0, keep_alive_timeout=4.0)

    def test_head(self) -> None:
        """
        The timeout of a head.
        """
        client, _ = self.connected(b"GET / HTTP/1.1\r\n")
        self.wait(3)
        self.assertEqual(client.status, 408)

    def test_idle(self) -> None:
        """
        The timeout between two requests.
        """
        client, _ = self.connected(b"")
        self.wait(4)
        self.assertFalse(client.ended)
        self.wait(5)
        self.assertTrue(client.ended)
